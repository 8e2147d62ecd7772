"use strict";
/** A program in the place of `remora` that does what a test's file says. */

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

/**
 * @param {string} body JavaScript; `args` are the command's arguments, `say` prints an event
 * @returns {{program: string, folder: string, remove: () => void}}
 */
function fakeRemora(body) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "remora 'test' $(x) "));
  const program = path.join(folder, "remora");
  const lines = [
    `#!${process.execPath}`,
    "const args = process.argv.slice(2);",
    'const say = (event, fields) => console.log(JSON.stringify({ event, ...fields }));',
    body,
  ];
  fs.writeFileSync(program, lines.join("\n"), { mode: 0o755 });
  return { program, folder, remove: () => fs.rmSync(folder, { recursive: true }) };
}

const unsupported = process.platform === "win32" ? "Windows starts no scripts without a shell" : false;

module.exports = { fakeRemora, unsupported };
