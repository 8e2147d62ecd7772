"use strict";
/** The interpreter that is selected in the Python extension, where that is installed. */

const vscode = require("vscode");

/**
 * @param {vscode.Uri} folder
 * @returns {Promise<string | undefined>} path of the interpreter
 */
async function selectedPython(folder) {
  const extension = vscode.extensions.getExtension("ms-python.python");
  if (!extension) return undefined;
  const { environments } = await extension.activate();
  const selected = environments?.getActiveEnvironmentPath(folder);
  const resolved = selected && (await environments.resolveEnvironment(selected));
  return resolved?.executable?.uri?.fsPath;
}

module.exports = { selectedPython };
