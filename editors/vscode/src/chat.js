"use strict";
/** The pages of an endpoint inside VS Code. */

const vscode = require("vscode");
const commandLines = require("./command_lines");
const { run } = require("./run");

class Chat {
  /** @type {Map<string, {running: import("./run").Running, url: Promise<string>}>} */
  #pages = new Map();

  /** @param {import("./runner").Runner} runner */
  constructor(runner) {
    this.runner = runner;
  }

  /**
   * @param {vscode.WorkspaceFolder} folder
   * @param {string} endpoint
   */
  async open(folder, endpoint) {
    const url = await this.#address(folder, endpoint);
    const outside = url && (await vscode.env.asExternalUri(vscode.Uri.parse(url)));
    if (outside) await vscode.commands.executeCommand("simpleBrowser.show", outside.toString(true));
  }

  dispose() {
    for (const { running } of this.#pages.values()) running.kill();
  }

  /** An endpoint has pages of its own, and asks for its key. With the key, nobody need be asked. */
  async #address(folder, endpoint) {
    const key = await this.runner.keys.of(folder.uri.fsPath);
    return key ? this.#pagesOf(folder, endpoint, key) : endpoint;
  }

  async #pagesOf(folder, endpoint, key) {
    const name = JSON.stringify([folder.uri.fsPath, endpoint, key]);
    if (!this.#pages.has(name)) {
      const program = await this.runner.program(folder);
      if (!program) return undefined;
      const pages = await this.#start(program, folder, endpoint);
      this.#pages.set(name, pages);
      void pages.running.ended.finally(() => this.#pages.delete(name)).catch(() => {});
    }
    try {
      return await this.#pages.get(name)?.url;
    } catch (error) {
      void this.runner.fail(error.message, error.hint);
      return undefined;
    }
  }

  async #start(program, folder, endpoint) {
    const path = folder.uri.fsPath;
    const env = await this.runner.keys.environment(path);
    let onEvent = (_event) => {};
    const options = { cwd: path, env, onEvent: (event) => onEvent(event), onText: () => {} };
    const running = run(program, commandLines.pages(endpoint), options);
    /** @type {Promise<string>} */
    const url = new Promise((resolve, reject) => {
      onEvent = (event) => {
        if (event.event === "listening") resolve(event.url);
        if (event.event === "error") reject(Object.assign(new Error(event.message), { hint: event.hint }));
      };
      running.ended.then((code) => reject(new Error(`remora ui ended with exit code ${code}`)), reject);
    });
    return { running, url };
  }
}

module.exports = { Chat };
