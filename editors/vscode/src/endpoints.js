"use strict";
/** What is known of each folder's endpoint; it looks again by itself. */

const vscode = require("vscode");
const commandLines = require("./command_lines");

const WATCHED = "{remora.toml,infra/inference.config.json,.remora/local/state.json}";
const AZURE_SECONDS = 60; // A look at Azure takes a dozen requests.

/**
 * @typedef {object} State
 * @property {import("./events").RemoraEvent} [status] the event of `remora status`
 * @property {import("./events").RemoraEvent} [resources] what exists on Azure, and what it costs
 * @property {import("./events").RemoraEvent} [current] the current release, while no server tells it
 * @property {string} [problem] why there is none
 */

class Endpoints {
  #changed = new vscode.EventEmitter();
  /** @type {Map<string, State>} */
  #states = new Map();
  /** @type {Map<string, Promise<State>>} */
  #looking = new Map();
  /** @type {Map<string, number>} */
  #looked = new Map();
  /** @type {vscode.Disposable[]} */
  #disposables = [this.#changed];

  onDidChange = this.#changed.event;

  /** @param {import("./runner").Runner} runner */
  constructor(runner) {
    this.runner = runner;
    const seconds = vscode.workspace.getConfiguration("remora").get("refreshSeconds", 20);
    if (seconds > 0) {
      const timer = setInterval(() => this.#refreshOld(), seconds * 1000);
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

  /** Look at all that may have changed by itself, if somebody sees it. */
  #refreshOld() {
    if (!vscode.window.state.focused) return;
    for (const folder of vscode.workspace.workspaceFolders ?? []) {
      const since = Date.now() - (this.#looked.get(folder.uri.fsPath) ?? 0);
      const isFresh = this.of(folder).status?.target === "azure" && since < AZURE_SECONDS * 1000;
      if (!isFresh) void this.refresh(folder);
    }
  }

  async #look(folder) {
    const state = await this.#state(folder);
    this.#states.set(folder.uri.fsPath, state);
    this.#looked.set(folder.uri.fsPath, Date.now());
    this.#changed.fire(undefined);
    return state;
  }

  async #state(folder) {
    try {
      const result = await this.runner.look(folder, commandLines.status(folder.uri.fsPath));
      if (!result) return { problem: "The command remora was not found." };
      const status = result.events.find((event) => event.event === "status");
      const error = result.events.find((event) => event.event === "error");
      if (!status) return { problem: error?.message ?? `remora status ended with exit code ${result.code}` };
      const isSilent = status.url && !status.report;
      const resources = result.events.find((event) => event.event === "resources");
      return { status, resources, current: isSilent ? await this.#current(folder) : undefined };
    } catch (error) {
      return { problem: error.message };
    }
  }

  /** A server that sleeps is not woken to tell what it will serve: its share says so. */
  async #current(folder) {
    const result = await this.runner.look(folder, commandLines.releases(folder.uri.fsPath));
    return result?.events.find((event) => event.event === "release" && event.current);
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
