"use strict";
/** What `remora check` finds, in the panel Problems. */

const fs = require("node:fs/promises");
const path = require("node:path");
const vscode = require("vscode");

const SEVERITIES = {
  error: vscode.DiagnosticSeverity.Error,
  warning: vscode.DiagnosticSeverity.Warning,
  note: vscode.DiagnosticSeverity.Information,
};
const PLACE = /^(.*remora\.toml):(\d+): (.*)$/;

class Problems {
  #collection = vscode.languages.createDiagnosticCollection("remora");

  /**
   * Show what one check has found in place of what the last one has.
   *
   * @param {import("./events").RemoraEvent[]} events
   */
  async show(events) {
    /** @type {Map<string, vscode.Diagnostic[]>} */
    const found = new Map();
    const add = (file, each) => found.set(file, [...(found.get(file) ?? []), each]);
    const folders = events.find((event) => event.event === "checked")?.folders ?? {};
    for (const event of events) {
      if (event.event === "diagnostic" && event.model in folders) {
        const file = path.join(folders[event.model], event.file);
        add(file, problem(await lineOf(file, event.key), `${event.reason}\n${event.fix}`, event));
      }
      if (event.event === "error") for (const [file, each] of configProblems(event.message)) add(file, each);
    }
    this.#collection.clear();
    for (const [file, each] of found) this.#collection.set(vscode.Uri.file(file), each);
  }

  dispose() {
    this.#collection.dispose();
  }
}

/** Mistakes in remora.toml, which the command tells as `FILE:LINE: WHAT`, one a line. */
function configProblems(message) {
  return message.split("\n").flatMap((line) => {
    const [, file, number, what] = PLACE.exec(line) ?? [];
    return file ? [[file, problem(Number(number) - 1, what, {})]] : [];
  });
}

/**
 * @param {number} line
 * @param {string} text
 * @param {Record<string, any>} rule which does not hold
 */
function problem(line, text, { severity = "error", code }) {
  const range = new vscode.Range(line, 0, line, Number.MAX_SAFE_INTEGER);
  const diagnostic = new vscode.Diagnostic(range, text, SEVERITIES[severity]);
  return Object.assign(diagnostic, { source: "remora", code });
}

/** Where a key stands in a file of JSON; the first line if that can't be told. */
async function lineOf(file, key) {
  if (!key) return 0;
  const text = await fs.readFile(file, "utf8").catch(() => "");
  return Math.max(0, text.split("\n").findIndex((line) => line.includes(`"${key}"`)));
}

module.exports = { Problems };
