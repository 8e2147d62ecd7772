"use strict";
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { converse } = require("../src/dialogue");

const SUBSCRIPTION = { event: "choice", option: "--subscription", choices: [] };
const GROUP = { event: "choice", option: "--resource-group", choices: [] };
const CONFIRM = { event: "confirm", option: "--yes" };
const asks = (...events) => ({ code: 2, events });
const DONE = { code: 0, events: [{ event: "done" }] };

/** A command that answers each run with the next result, and a user with the next answer. */
async function talk(results, answers) {
  const runs = [];
  const questions = [];
  const once = async (args) => {
    runs.push(args);
    return results[runs.length - 1];
  };
  const ask = async (question) => {
    questions.push(question);
    return answers[questions.length - 1];
  };
  return { result: await converse(["provision"], once, ask), runs, questions };
}

test("each answer is added, and the command is run again", async () => {
  const results = [asks(SUBSCRIPTION), asks(GROUP), asks({ event: "plan" }, CONFIRM), DONE];
  const answers = [["--subscription", "a"], ["--resource-group", "b"], ["--yes"]];
  const { result, runs, questions } = await talk(results, answers);
  assert.deepEqual(result, DONE);
  assert.deepEqual(questions, [SUBSCRIPTION, GROUP, CONFIRM]);
  assert.deepEqual(runs.at(-1), ["provision", "--subscription", "a", "--resource-group", "b", "--yes"]);
});

test("a user who leaves ends it", async () => {
  const { result, runs } = await talk([asks(SUBSCRIPTION)], [undefined]);
  assert.equal(result.cancelled, true);
  assert.equal(runs.length, 1);
});

test("a question that was answered already is not asked for ever", async () => {
  const { result, runs } = await talk([asks(CONFIRM), asks(CONFIRM)], [["--yes"]]);
  assert.equal(result.code, 2);
  assert.equal(runs.length, 2);
});

for (const [name, result] of [
  ["a mistake of usage is not a question", asks({ event: "error", message: "no such option" })],
  ["a question counts only with its exit code", { code: 7, events: [SUBSCRIPTION] }],
  ["a cancelled run is not asked about", { ...asks(SUBSCRIPTION), cancelled: true }],
]) {
  test(name, async () => {
    const told = await talk([result], []);
    assert.deepEqual(told.result, result);
    assert.deepEqual(told.questions, []);
  });
}
