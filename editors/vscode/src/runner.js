"use strict";
/** Runs commands for the user: progress, questions, the log, and what went wrong. */

const vscode = require("vscode");
const { ask } = require("./ask");
const { lines, message } = require("./describe");
const { converse } = require("./dialogue");
const { Busy, Jobs } = require("./jobs");
const { Percent } = require("./percent");
const { offerInstallation, program } = require("./program");
const { run } = require("./run");

/** @typedef {import("./dialogue").Result} Result */

class Runner {
  #jobs = new Jobs();

  /**
   * @param {vscode.OutputChannel} output
   * @param {import("./keys").Keys} keys
   */
  constructor(output, keys) {
    this.output = output;
    this.keys = keys;
  }

  /**
   * Run a command that the user waits for. Failures are told here.
   *
   * @param {vscode.WorkspaceFolder} folder
   * @param {string} title
   * @param {string[]} args
   * @param {number[]} [fine] exit codes that are no failure
   * @returns {Promise<(Result & {ok: boolean}) | undefined>} undefined if it was not run
   */
  async perform(folder, title, args, fine = [0]) {
    try {
      const result = await this.#jobs.exclusively(folder.uri.fsPath, title, () => this.#converse(folder, title, args));
      if (!result) return undefined;
      const ok = !result.cancelled && fine.includes(result.code);
      if (!ok) this.#tellFailure(result, title);
      return { ...result, ok };
    } catch (error) {
      if (error instanceof Busy) void vscode.window.showWarningMessage(error.message);
      else void this.fail(error.message);
      return undefined;
    }
  }

  /**
   * Run a command that only looks. Nothing is shown.
   *
   * @param {vscode.WorkspaceFolder} folder
   * @param {string[]} args
   * @returns {Promise<Result | undefined>} undefined if there is no program
   */
  async look(folder, args) {
    const found = await program(folder);
    if (!found) return undefined;
    const events = [];
    const running = await this.#start(found, folder, args, (event) => events.push(event), () => {});
    return { code: await running.ended, events };
  }

  /** The program for a folder; without one the user is told how to get it. */
  async program(folder) {
    try {
      const found = await program(folder);
      if (!found) void offerInstallation();
      return found;
    } catch (error) {
      void this.fail(error.message);
      return undefined;
    }
  }

  /**
   * @param {string} text what happened
   * @param {string | null} [hint] what to do
   */
  async fail(text, hint) {
    const show = "Show Log";
    const chosen = await vscode.window.showErrorMessage(hint ? `${text.replace(/\.$/, "")}. ${hint}` : text, show);
    if (chosen === show) this.output.show();
  }

  async #converse(folder, title, args) {
    const found = await this.program(folder);
    return found && converse(args, (given) => this.#once(found, folder, title, given), ask);
  }

  /** One run behind a notification. Cancelling asks the command to take back what it has begun. */
  async #once(found, folder, title, args) {
    const events = [];
    const percent = new Percent();
    const hear = (event) => {
      events.push(event);
      lines(event).forEach((line) => this.output.appendLine(line));
      onEvent(event);
    };
    let onEvent = (_event) => {};
    this.output.appendLine(`\n> remora ${args.join(" ")}`);
    const options = { location: vscode.ProgressLocation.Notification, title: `Remora: ${title}`, cancellable: true };
    const running = await this.#start(found, folder, args, hear, (line) => this.output.appendLine(line));
    const cancelled = await vscode.window.withProgress(options, (progress, token) => {
      onEvent = (event) => progress.report({ message: message(event), increment: percent.after(event) });
      const left = new Promise((resolve) => token.onCancellationRequested(resolve));
      return Promise.race([running.ended.then(() => false), left.then(() => true)]);
    });
    if (cancelled) await this.#cancel(running, title);
    return { code: await running.ended, events, cancelled };
  }

  async #cancel(running, title) {
    running.cancel();
    const options = { location: vscode.ProgressLocation.Notification, title: `Remora: canceling "${title}"`, cancellable: true };
    await vscode.window.withProgress(options, (progress, token) => {
      progress.report({ message: "Cancel once more to end it at once." });
      token.onCancellationRequested(running.kill);
      return running.ended;
    });
  }

  async #start(found, folder, args, onEvent, onText) {
    const path = folder.uri.fsPath;
    const hear = (event) => {
      if (event.event === "api_key") void this.keys.set(path, event.key);
      onEvent(event);
    };
    return run(found, args, { cwd: path, env: await this.keys.environment(path), onEvent: hear, onText });
  }

  /** @param {Result} result @param {string} title */
  #tellFailure({ code, events, cancelled }, title) {
    const error = events.find((event) => event.event === "error");
    const goesOn = events.some((event) => event.event === "left_running");
    if (goesOn) void vscode.window.showInformationMessage(`Azure goes on with it. "${title}" follows it again.`);
    else if (error) void this.fail(error.message, error.hint);
    else if (cancelled) void vscode.window.showInformationMessage(`Canceled: ${title}.`);
    else void this.fail(`"${title}" ended with exit code ${code}`);
  }
}

module.exports = { Runner };
