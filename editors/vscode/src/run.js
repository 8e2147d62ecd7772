"use strict";
/** One run of the command `remora`. */

const { spawn } = require("node:child_process");
const { eventReader } = require("./events");

/**
 * @typedef {import("./events").RemoraEvent} RemoraEvent
 * @typedef {object} Running
 * @property {Promise<number>} ended the exit code; rejects if the program can't be started
 * @property {() => void} cancel ends it as Ctrl-C does: it takes back what it has begun
 * @property {() => void} kill ends it at once
 *
 * @param {string} program
 * @param {string[]} args
 * @param {object} options
 * @param {string} options.cwd
 * @param {Record<string, string | undefined>} [options.env] secrets go here, never into `args`
 * @param {(event: RemoraEvent) => void} options.onEvent
 * @param {(line: string) => void} options.onText
 * @returns {Running}
 */
function run(program, args, { cwd, env = process.env, onEvent, onText }) {
  // The command ends with its standard input, so it never outlives the editor, and cancelling
  // works where there are no signals.
  const child = spawn(program, ["--until-stdin-ends", ...args], {
    cwd,
    env,
    shell: false,
    windowsHide: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said = eventReader(onEvent, onText);
  const warned = eventReader(onEvent, onText);
  child.stdout.on("data", said.write);
  child.stderr.on("data", warned.write);
  child.stdin.on("error", () => {}); // It may have ended just now.
  const ended = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      said.end();
      warned.end();
      resolve(code ?? 1);
    });
  });
  return { ended, cancel: () => child.stdin.end(), kill: () => child.kill("SIGKILL") };
}

module.exports = { run };
