"use strict";
/** The endpoint's state at the foot of the window. */

const vscode = require("vscode");
const { standing } = require("./endpoints");
const { iconOf } = require("./icons");

/**
 * @param {import("./endpoints").Endpoints} endpoints
 * @returns {vscode.Disposable}
 */
function statusBar(endpoints) {
  const item = vscode.window.createStatusBarItem("remora.endpoint", vscode.StatusBarAlignment.Left);
  item.name = "Remora endpoint";
  item.command = "remora.status";
  const show = () => {
    const folders = vscode.workspace.workspaceFolders ?? [];
    const told = folders.map((folder) => ({ folder, state: endpoints.of(folder) }));
    // Of several folders the one whose endpoint answers is worth a look.
    const shown = told.find(({ state }) => state.status?.report) ?? told[0];
    if (!shown) return item.hide();
    const now = standing(shown.state);
    item.text = `$(${iconOf(now, "circle-outline")}) Remora: ${now}`;
    item.tooltip = [shown.folder.name, shown.state.status?.url, shown.state.problem].filter(Boolean).join("\n");
    return item.show();
  };
  show();
  return vscode.Disposable.from(item, endpoints.onDidChange(show));
}

module.exports = { statusBar };
