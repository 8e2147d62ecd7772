"use strict";
/** The program `remora` for a folder, or the way to get it. */

const vscode = require("vscode");
const { findRemora } = require("./finder");
const { selectedPython } = require("./python");

const INSTALL = 'pip install "remora-serve[serve,ui,azure]"';

/**
 * @param {vscode.WorkspaceFolder} folder
 * @returns {Promise<string | undefined>} undefined if there is none
 * @throws {Error} if the setting is wrong
 */
async function program(folder) {
  return findRemora({
    setting: vscode.workspace.getConfiguration("remora", folder).get("path"),
    python: await selectedPython(folder.uri),
    searchPath: process.env.PATH,
  });
}

/** Say that there is none, and offer what helps. */
async function offerInstallation() {
  const install = "Install";
  const settings = "Set Its Path";
  const told = "The command remora was found neither in the selected Python's environment nor on the PATH.";
  const chosen = await vscode.window.showErrorMessage(told, install, settings);
  if (chosen === install) {
    const terminal = vscode.window.createTerminal("Install Remora");
    terminal.show();
    terminal.sendText(INSTALL, false); // The user presses Enter, in the environment of their choice.
  } else if (chosen === settings) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "remora.path");
  }
}

module.exports = { program, offerInstallation };
