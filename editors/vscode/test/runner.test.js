"use strict";
const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { afterEach, beforeEach, test } = require("node:test");
const { fake } = require("./fake_vscode");
const { fakeRemora, unsupported } = require("./fake_remora");
const { Keys } = require("../src/keys");
const { Runner } = require("../src/runner");

const ECHO = 'say("ran", { args, key: process.env.REMORA_API_KEY ?? null });';
const CHOICE = `
const question = { message: "Which subscription?", option: "--subscription", default: "b",
  choices: [{ value: "a", label: "First" }, { value: "b", label: "Second" }] };
if (!args.includes("--subscription")) { say("choice", question); process.exit(2); }
if (!args.includes("--yes")) {
  say("plan", { changes: [{ action: "create", type: "app", name: "x" }], cost: null });
  say("confirm", { message: "Go on?", option: "--yes" });
  process.exit(2);
}
say("ran", { args });`;
const WAIT = 'say("begun", {}); process.stdin.resume(); process.stdin.on("end", () => { say("taken_back", {}); process.exit(130); });';
const DEAF = 'say("begun", {}); setInterval(() => {}, 1000);';

/** @type {ReturnType<typeof fakeRemora> | undefined} */
let remora;
let secrets;
let log;

beforeEach(() => fake.reset());
afterEach(() => remora?.remove());

function runner(body) {
  remora = fakeRemora(body);
  fake.settings.remora.path = remora.program;
  secrets = new Map();
  log = [];
  const storage = { get: async (name) => secrets.get(name), store: async (name, value) => void secrets.set(name, value) };
  return new Runner({ appendLine: (line) => log.push(line), show: () => log.push("shown") }, new Keys(storage));
}

const folder = () => ({ name: "project", uri: { fsPath: remora.folder } });
const ran = (result) => result.events.find((event) => event.event === "ran");
const options = { skip: unsupported, timeout: 20_000 };

test("arguments reach the command as they are, whatever is in them", options, async () => {
  const strange = ["deploy", "a b", "$(touch x)", "'", '"', "`id`", "; ls", "%PATH%", "ünï"];
  const result = await runner(ECHO).perform(folder(), "Deploy", strange);
  assert.deepEqual(ran(result).args, ["--until-stdin-ends", ...strange]);
  assert.deepEqual(fs.readdirSync(remora.folder), [path.basename(remora.program)]);
});

test("the API key goes through the environment, not the command line", options, async () => {
  const one = runner(ECHO);
  await one.keys.set(remora.folder, "s3cret");
  const result = await one.perform(folder(), "Deploy", ["deploy"]);
  assert.equal(ran(result).key, "s3cret");
  assert.ok(!ran(result).args.includes("s3cret"));
});

test("a key that a command makes is kept, and not logged", options, async () => {
  const one = runner('say("api_key", { key: "made-now" });');
  await one.perform(folder(), "Provision", ["provision"]);
  assert.equal(await one.keys.of(remora.folder), "made-now");
  assert.ok(!log.join("\n").includes("made-now"));
});

test("questions become a quick pick and a modal dialog with the plan", options, async () => {
  fake.answers.push("a", "Continue");
  const result = await runner(CHOICE).perform(folder(), "Provision", ["provision"]);
  assert.deepEqual(ran(result).args, ["--until-stdin-ends", "provision", "--subscription", "a", "--yes"]);
  const pick = fake.shown.find((each) => each.kind === "pick");
  assert.equal(pick.text, "Which subscription?");
  assert.deepEqual(pick.rest.map((item) => item.label), ["Second", "First"], "the default comes first");
  const confirm = fake.shown.find((each) => each.kind === "warning");
  assert.deepEqual(confirm.rest[0], { modal: true, detail: "create app x" });
});

test("where the command allows another answer, the user may type one", options, async () => {
  fake.answers.push("$(add) Name of a new group …");
  fake.typed.push("mine");
  const question = '{ message: "Which?", option: "--group", choices: [], default: null, other: "Name of a new group" }';
  const body = `if (args.includes("--group")) say("ran", { args }); else { say("choice", ${question}); process.exit(2); }`;
  const result = await runner(body).perform(folder(), "Provision", ["provision"]);
  assert.deepEqual(ran(result).args, ["--until-stdin-ends", "provision", "--group", "mine"]);
});

test("a plan that is not confirmed is not carried out", options, async () => {
  fake.answers.push("b");
  const result = await runner(CHOICE).perform(folder(), "Provision", ["provision"]);
  assert.equal(result.ok, false);
  assert.equal(ran(result), undefined);
});

test("an error says what happened and what to do, and offers the log", options, async () => {
  fake.answers.push("Show Log");
  const body = 'say("error", { message: "No quota.", hint: "Ask for more." }); process.exit(8);';
  const result = await runner(body).perform(folder(), "Provision", ["provision"]);
  assert.equal(result.ok, false);
  const error = await fake.until((each) => each.kind === "error");
  assert.equal(error.text, "No quota. Ask for more.");
  await new Promise(setImmediate);
  assert.deepEqual(log.slice(-3), ["error: No quota.", "hint: Ask for more.", "shown"]);
});

test("text on either stream is in the log, and an exit code without an error is told", options, async () => {
  const one = runner('console.log("plain"); console.error("a traceback"); process.exit(1);');
  await one.perform(folder(), "Deploy", ["deploy"]);
  assert.ok(log.includes("plain") && log.includes("a traceback"));
  assert.match((await fake.until((each) => each.kind === "error")).text, /"Deploy" ended with exit code 1/);
});

test("exit codes that a command calls fine are no failure", options, async () => {
  const result = await runner("process.exit(3);").perform(folder(), "Check", ["check"], [0, 3]);
  assert.equal(result.ok, true);
  assert.ok(!fake.shown.some((each) => each.kind === "error"));
});

test("cancelling lets the command take back what it has begun", options, async () => {
  const one = runner(WAIT);
  const performed = one.perform(folder(), "Deploy", ["deploy"]);
  const progress = await fake.until((each) => each.kind === "progress" && each.reports.length > 0);
  progress.cancel();
  const result = await performed;
  assert.equal(result.cancelled, true);
  assert.deepEqual(result.events.map((event) => event.event), ["begun", "taken_back"]);
  assert.ok(fake.shown.some((each) => each.kind === "info" && each.text === "Canceled: Deploy."));
});

test("a deployment that goes on in Azure is said to", options, async () => {
  const body = 'say("begun", {}); process.stdin.resume(); process.stdin.on("end", () => { say("left_running", {}); process.exit(130); });';
  const performed = runner(body).perform(folder(), "Provision", ["provision"]);
  (await fake.until((each) => each.kind === "progress" && each.reports.length > 0)).cancel();
  await performed;
  assert.match((await fake.until((each) => each.kind === "info")).text, /Azure goes on with it/);
});

test("cancelling once more ends a command that does not hear", options, async () => {
  const one = runner(DEAF);
  const performed = one.perform(folder(), "Deploy", ["deploy"]);
  (await fake.until((each) => each.kind === "progress" && each.reports.length > 0)).cancel();
  (await fake.until((each) => each.kind === "progress" && each.text.includes("canceling"))).cancel();
  assert.equal((await performed).cancelled, true);
});

test("a second command in the same folder is refused with the reason, until the first ends", options, async () => {
  const one = runner(WAIT);
  const first = one.perform(folder(), "Deploy for inference", ["deploy"]);
  const progress = await fake.until((each) => each.kind === "progress" && each.reports.length > 0);
  assert.equal(await one.perform(folder(), "Tear down", ["down"]), undefined);
  const refusal = fake.shown.find((each) => each.kind === "warning");
  assert.match(refusal.text, /"Deploy for inference" is still running/);
  const elsewhere = one.perform({ name: "other", uri: { fsPath: path.dirname(remora.folder) } }, "Deploy", ["deploy"]);
  await fake.until((each) => each !== progress && each.kind === "progress" && each.reports.length > 0);
  fake.shown.filter((each) => each.kind === "progress").forEach((each) => each.cancel());
  await Promise.all([first, elsewhere]);
  const again = one.perform(folder(), "Tear down", ["down"]);
  (await fake.until((each) => each.text === "Remora: Tear down" && each.reports.length > 0)).cancel();
  assert.equal((await again).cancelled, true);
});

test("without the command its installation is offered, in the terminal, unsent", async () => {
  const one = runner(ECHO);
  fake.settings.remora = {};
  const { PATH } = process.env;
  process.env.PATH = "";
  fake.answers.push("Install");
  try {
    assert.equal(await one.perform(folder(), "Deploy", ["deploy"]), undefined);
  } finally {
    process.env.PATH = PATH;
  }
  const typed = await fake.until((each) => each.kind === "typed");
  assert.equal(typed.text, 'pip install "remora-serve[serve,ui,azure]"');
  assert.deepEqual(typed.rest, [false]);
});

test("the selected Python's environment is asked for the command", options, async () => {
  const one = runner(ECHO);
  fake.settings.remora = {};
  const executable = { uri: { fsPath: path.join(remora.folder, "python") } };
  const environments = { getActiveEnvironmentPath: () => ({ path: "x" }), resolveEnvironment: async () => ({ executable }) };
  fake.extensions["ms-python.python"] = { activate: async () => ({ environments }) };
  const result = await one.look(folder(), ["status"]);
  assert.deepEqual(ran(result).args, ["--until-stdin-ends", "status"]);
});
