"use strict";
/** Remora in VS Code: runs the command line `remora` with `--json`, and shows its events. */

const vscode = require("vscode");
const { Chat } = require("./chat");
const { commands } = require("./commands");
const { Endpoints } = require("./endpoints");
const { Keys } = require("./keys");
const { Problems } = require("./problems");
const { Runner } = require("./runner");
const { statusBar } = require("./status_bar");
const { tomlLanguage } = require("./toml_language");
const { Tree } = require("./tree");

/** @param {vscode.ExtensionContext} context */
function activate(context) {
  const output = vscode.window.createOutputChannel("Remora");
  const keys = new Keys(context.secrets);
  const runner = new Runner(output, keys);
  const endpoints = new Endpoints(runner);
  const chat = new Chat(runner);
  const problems = new Problems();
  const handlers = commands({ runner, endpoints, chat, problems, keys, output });
  context.subscriptions.push(
    output,
    endpoints,
    chat,
    problems,
    statusBar(endpoints),
    tomlLanguage(context.extensionUri),
    vscode.window.registerTreeDataProvider("remora.projects", new Tree(endpoints)),
    ...Object.entries(handlers).map(([name, handler]) => vscode.commands.registerCommand(name, handler)),
  );
  endpoints.refreshAll();
}

module.exports = { activate };
