"use strict";
/**
 * The command lines of `remora`, as lists of arguments: no shell ever reads them.
 *
 * A folder is always an absolute path and so never looks like an option.
 */

const deploy = (folder) => ["deploy", folder, "--json"];
const provision = (folder) => ["provision", folder, "--json"];
const down = (folder) => ["down", folder, "--json"];
const check = (folder) => ["check", folder, "--json"];
const status = (folder) => ["status", folder, "--json"];
const releases = (folder) => ["releases", folder, "--json"];
const rollback = (folder, release) => ["rollback", release, "--project", folder, "--json"];
const logs = (folder) => ["logs", folder, "--follow"];
const serve = (folder) => ["serve", folder];
const pages = (endpoint) => ["ui", "--endpoint", endpoint, "--port", "0", "--json"];

module.exports = { deploy, provision, down, check, status, releases, rollback, logs, serve, pages };
