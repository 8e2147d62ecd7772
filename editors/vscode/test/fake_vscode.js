"use strict";
/**
 * The part of VS Code's interface that the extension touches, for tests without an editor.
 *
 * `answers` holds what the user chooses, `typed` what they type; `shown` what they saw.
 */

const Module = require("node:module");
const { EventEmitter } = require("node:events");

const shown = [];
const answers = [];
const typed = [];
const settings = { remora: {} };
const written = [];
const extensions = {};

class Emitter {
  #emitter = new EventEmitter();
  event = (listener) => {
    this.#emitter.on("event", listener);
    return { dispose: () => this.#emitter.off("event", listener) };
  };
  fire(value) {
    this.#emitter.emit("event", value);
  }
  dispose() {
    this.#emitter.removeAllListeners();
  }
}

class Item {
  constructor(label, collapsibleState) {
    Object.assign(this, { label, collapsibleState });
  }
}

const disposable = () => ({ dispose() {} });
const told = (kind) => async (text, ...rest) => {
  shown.push({ kind, text, rest });
  return kind === "error" || kind === "info" || kind === "warning" ? answer(rest) : undefined;
};

/** What the user chooses next; nothing if the test does not say. */
function answer(choices) {
  const next = answers.findIndex((each) => choices.flat().some((choice) => choice === each || choice?.value === each || choice?.label === each));
  if (next < 0) return undefined;
  const [chosen] = answers.splice(next, 1);
  return choices.flat().find((choice) => choice === chosen || choice?.value === chosen || choice?.label === chosen);
}

const vscode = {
  window: {
    state: { focused: true },
    showErrorMessage: told("error"),
    showInformationMessage: told("info"),
    showWarningMessage: told("warning"),
    showQuickPick: async (items, options) => {
      shown.push({ kind: "pick", text: options.title ?? options.placeHolder, rest: items });
      return answer([items]);
    },
    showInputBox: async () => typed.shift(),
    showWorkspaceFolderPick: async () => answer([vscode.workspace.workspaceFolders.map((folder) => folder.name)]),
    withProgress: (options, work) => {
      const cancelled = new Emitter();
      const record = { kind: "progress", text: options.title, reports: [], cancel: () => cancelled.fire(undefined) };
      shown.push(record);
      const token = { onCancellationRequested: cancelled.event };
      return work({ report: (each) => record.reports.push(each) }, token);
    },
    createTerminal: (options) => {
      shown.push({ kind: "terminal", text: options.name ?? options, rest: [options] });
      return { show() {}, sendText: (text, enter) => shown.push({ kind: "typed", text, rest: [enter] }) };
    },
  },
  workspace: {
    workspaceFolders: [],
    getConfiguration: (section) => ({
      get: (name, otherwise) => settings[section]?.[name] ?? otherwise,
      inspect: (name) => ({ globalValue: settings[section]?.[name] }),
      update: async (name, value, target) => written.push({ name: `${section}.${name}`, value, target }),
    }),
    createFileSystemWatcher: () => ({ onDidChange: disposable, onDidCreate: disposable, onDidDelete: disposable, dispose() {} }),
    onDidChangeWorkspaceFolders: disposable,
    getWorkspaceFolder: () => undefined,
    openTextDocument: async (options) => options,
  },
  commands: { executeCommand: async (name, ...rest) => shown.push({ kind: "command", text: name, rest }) },
  extensions: { getExtension: (name) => extensions[name] },
  languages: {},
  env: { clipboard: { writeText: async (text) => shown.push({ kind: "copied", text, rest: [] }) } },
  EventEmitter: Emitter,
  TreeItem: Item,
  ThemeIcon: class {
    constructor(id) {
      this.id = id;
    }
  },
  TreeItemCollapsibleState: { None: 0, Collapsed: 1, Expanded: 2 },
  ProgressLocation: { Notification: 15 },
  ConfigurationTarget: { Global: 1 },
  DiagnosticSeverity: { Error: 0, Warning: 1, Information: 2 },
};
vscode.window.showTextDocument = async (document) => shown.push({ kind: "document", text: document.content, rest: [] });

const resolve = Module._resolveFilename;
Module._resolveFilename = (name, ...rest) => (name === "vscode" ? __filename : resolve(name, ...rest));

/** Forget what was shown, chosen and set. */
function reset() {
  shown.length = 0;
  answers.length = 0;
  typed.length = 0;
  written.length = 0;
  settings.remora = {};
  for (const name of Object.keys(extensions)) delete extensions[name];
}

/** Wait until something is shown; fails by the runner's own time limit. */
async function until(found) {
  for (;;) {
    const one = shown.find(found);
    if (one) return one;
    await new Promise((resume) => setTimeout(resume, 5));
  }
}

module.exports = Object.assign(vscode, { fake: { shown, answers, typed, settings, written, extensions, reset, until } });
