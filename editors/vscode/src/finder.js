"use strict";
/**
 * Where the command `remora` is: the setting, the selected Python's environment, the PATH.
 *
 * Nothing is started to find out; only files are looked for.
 */

const fs = require("node:fs");
const nodePath = require("node:path");

/**
 * @typedef {object} Places
 * @property {string} [setting] the setting `remora.path`; empty means unset
 * @property {string} [python] the selected interpreter
 * @property {string} [searchPath] the environment variable PATH
 * @property {NodeJS.Platform} [platform]
 * @property {(file: string) => boolean} [isFile]
 */

/**
 * @param {Places} places
 * @returns {string | undefined} the program's path; undefined if there is none
 * @throws {Error} if the setting names a file that does not exist
 */
function findRemora({ setting, python, searchPath, platform = process.platform, isFile = isProgram }) {
  if (setting) {
    if (!isFile(setting)) throw new Error(`The setting remora.path names ${setting}, which is no file.`);
    return setting;
  }
  const found = [...besidePython(python, platform), ...onPath(searchPath, platform)].find(isFile);
  return found;
}

/** Where pip puts programs of the interpreter's environment; conda's Windows layout included. */
function besidePython(python, platform) {
  if (!python) return [];
  const path = pathOf(platform);
  const folder = path.dirname(python);
  if (platform !== "win32") return [path.join(folder, "remora")];
  return [path.join(folder, "remora.exe"), path.join(folder, "Scripts", "remora.exe")];
}

function onPath(searchPath = "", platform) {
  const path = pathOf(platform);
  const name = platform === "win32" ? "remora.exe" : "remora";
  // A relative entry would be looked up in whatever folder is open.
  const folders = searchPath.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return folders.map((folder) => path.join(folder, name));
}

function pathOf(platform) {
  return platform === "win32" ? nodePath.win32 : nodePath.posix;
}

function isProgram(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

module.exports = { findRemora };
