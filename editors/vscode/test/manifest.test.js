"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
require("./fake_vscode");
const { commands } = require("../src/commands");
const manifest = require("../package.json");

const ROOT = path.join(__dirname, "..");
const { contributes } = manifest;
const declared = contributes.commands.map((each) => each.command).sort();

test("every command that is declared has a handler, and the reverse", () => {
  assert.deepEqual(Object.keys(commands({})).sort(), declared);
});

test("menus name commands that are declared", () => {
  const named = Object.values(contributes.menus).flat().map((each) => each.command);
  assert.deepEqual(named.filter((name) => !declared.includes(name)), []);
});

test("files that are named are there", () => {
  const steps = contributes.walkthroughs.flatMap((each) => each.steps.map((step) => step.media.markdown));
  const schemas = contributes.jsonValidation.map((each) => each.url);
  const icons = contributes.viewsContainers.activitybar.map((each) => each.icon);
  for (const file of [manifest.main, manifest.icon, ...icons, ...steps, ...schemas]) {
    assert.ok(fs.existsSync(path.join(ROOT, file)), file);
  }
});

test("it is off where the workspace is not trusted, and runs where the workspace is", () => {
  assert.equal(manifest.capabilities.untrustedWorkspaces.supported, false);
  assert.deepEqual(manifest.extensionKind, ["workspace"]);
});

test("one file starts programs, and no shell reads its arguments", () => {
  const source = (name) => fs.readFileSync(path.join(ROOT, "src", name), "utf8");
  const starting = fs.readdirSync(path.join(ROOT, "src")).filter((name) => source(name).includes("child_process"));
  assert.deepEqual(starting, ["run.js"]);
  assert.match(source("run.js"), /const \{ spawn \} = require\("node:child_process"\);/);
  assert.match(source("run.js"), /shell: false/);
});
