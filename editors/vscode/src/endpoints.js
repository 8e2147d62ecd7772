"use strict";
/** What is known of each folder's endpoint; it looks again by itself. */

const vscode = require("vscode");
const commandLines = require("./command_lines");

const WATCHED = "{remora.toml,infra/inference.config.json,.remora/local/state.json}";

/**
 * @typedef {object} State
 * @property {import("./events").RemoraEvent} [status] the event of `remora status`
 * @property {string} [problem] why there is none
 */

class Endpoints {
  #changed = new vscode.EventEmitter();
  /** @type {Map<string, State>} */
  #states = new Map();
  /** @type {Map<string, Promise<State>>} */
  #looking = new Map();
  /** @type {vscode.Disposable[]} */
  #disposables = [this.#changed];

  onDidChange = this.#changed.event;

  /** @param {import("./runner").Runner} runner */
  constructor(runner) {
    this.runner = runner;
    const seconds = vscode.workspace.getConfiguration("remora").get("refreshSeconds", 20);
    if (seconds > 0) {
      const timer = setInterval(() => vscode.window.state.focused && this.refreshAll(), seconds * 1000);
      this.#disposables.push({ dispose: () => clearInterval(timer) });
    }
    this.#watch();
    this.#disposables.push(vscode.workspace.onDidChangeWorkspaceFolders(() => this.refreshAll()));
  }

  /** @param {vscode.WorkspaceFolder} folder @returns {State} as of the last look */
  of(folder) {
    return this.#states.get(folder.uri.fsPath) ?? {};
  }

  refreshAll() {
    for (const folder of vscode.workspace.workspaceFolders ?? []) void this.refresh(folder);
  }

  /**
   * Look now; a look that goes on already is joined.
   *
   * @param {vscode.WorkspaceFolder} folder
   * @returns {Promise<State>}
   */
  refresh(folder) {
    const path = folder.uri.fsPath;
    const going = this.#looking.get(path);
    if (going) return going;
    const look = this.#look(folder).finally(() => this.#looking.delete(path));
    this.#looking.set(path, look);
    return look;
  }

  dispose() {
    this.#disposables.forEach((each) => each.dispose());
  }

  async #look(folder) {
    const state = await this.#state(folder);
    this.#states.set(folder.uri.fsPath, state);
    this.#changed.fire(undefined);
    return state;
  }

  async #state(folder) {
    try {
      const result = await this.runner.look(folder, commandLines.status(folder.uri.fsPath));
      if (!result) return { problem: "The command remora was not found." };
      const status = result.events.find((event) => event.event === "status");
      const error = result.events.find((event) => event.event === "error");
      return status ? { status } : { problem: error?.message ?? `remora status ended with exit code ${result.code}` };
    } catch (error) {
      return { problem: error.message };
    }
  }

  #watch() {
    const watcher = vscode.workspace.createFileSystemWatcher(`**/${WATCHED}`);
    const look = (uri) => {
      const folder = vscode.workspace.getWorkspaceFolder(uri);
      if (folder) void this.refresh(folder);
    };
    this.#disposables.push(watcher, watcher.onDidChange(look), watcher.onDidCreate(look), watcher.onDidDelete(look));
  }
}

/**
 * @param {State} state
 * @returns {string} one word or two: `ready`, `loading`, `stopped`, `asleep`, `unknown`
 */
function standing({ status }) {
  if (!status) return "unknown";
  return status.report?.standing ?? status.life;
}

module.exports = { Endpoints, standing };
