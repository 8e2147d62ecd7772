"use strict";
const assert = require("node:assert/strict");
const { beforeEach, test } = require("node:test");
const { fake } = require("./fake_vscode");
const { Endpoints } = require("../src/endpoints");

const FOLDER = { name: "demo", uri: { fsPath: "/demo" } };
const URL = "http://127.0.0.1:7860";

beforeEach(() => {
  fake.reset();
  fake.settings.remora.refreshSeconds = 0;
});

/** Endpoints over a command line that answers by the command's name. */
function endpoints(answers) {
  const asked = [];
  const look = async (_folder, [command]) => {
    asked.push(command);
    return typeof answers === "function" ? answers() : answers[command];
  };
  return { found: new Endpoints({ look }), asked };
}

const said = (...events) => ({ code: 0, events });

test("what the command says is kept, and told", async () => {
  const status = { event: "status", url: URL, report: { standing: "ready" } };
  const { found, asked } = endpoints({ status: said(status) });
  let told = 0;
  found.onDidChange(() => (told += 1));
  assert.deepEqual(found.of(FOLDER), {});
  assert.deepEqual(await found.refresh(FOLDER), { status, resources: undefined, current: undefined });
  assert.equal(found.of(FOLDER).status, status);
  assert.equal(told, 1);
  assert.deepEqual(asked, ["status"]);
});

test("two who look at once share one look", async () => {
  const { found, asked } = endpoints({ status: said({ event: "status", url: null }) });
  await Promise.all([found.refresh(FOLDER), found.refresh(FOLDER)]);
  assert.deepEqual(asked, ["status"]);
  await found.refresh(FOLDER);
  assert.equal(asked.length, 2);
});

test("while no server tells, the share says which release is current", async () => {
  const current = { event: "release", release: "b", current: true };
  const releases = said({ event: "release", release: "a", current: false }, current);
  const { found } = endpoints({ status: said({ event: "status", url: URL, report: null }), releases });
  assert.equal((await found.refresh(FOLDER)).current, current);
});

for (const [name, answers, problem] of [
  ["no program", () => undefined, "The command remora was not found."],
  ["an error", { status: { code: 2, events: [{ event: "error", message: "no such base" }] } }, "no such base"],
  ["no word", { status: { code: 1, events: [] } }, "remora status ended with exit code 1"],
  ["a wrong setting", () => { throw new Error("it is no file"); }, "it is no file"],
]) {
  test(`${name} is a problem, not a state`, async () => {
    const { found } = endpoints(answers);
    assert.deepEqual(await found.refresh(FOLDER), { problem });
  });
}
