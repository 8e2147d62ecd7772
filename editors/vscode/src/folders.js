"use strict";
/** Which folder of the workspace a command is about. */

const vscode = require("vscode");

/**
 * @param {{folder?: vscode.WorkspaceFolder} | undefined} node where it was called in the tree
 * @returns {Promise<vscode.WorkspaceFolder | undefined>} undefined if there is none, or the user leaves
 */
async function chooseFolder(node) {
  if (node?.folder) return node.folder;
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 0) {
    void vscode.window.showErrorMessage("Open the folder of your project first.");
    return undefined;
  }
  return folders.length === 1 ? folders[0] : vscode.window.showWorkspaceFolderPick({ placeHolder: "Which project?" });
}

module.exports = { chooseFolder };
