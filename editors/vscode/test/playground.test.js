"use strict";
const assert = require("node:assert/strict");
const { beforeEach, test } = require("node:test");
const { fake } = require("./fake_vscode");
const { addToPlayground, entries, merged } = require("../src/playground");

const URL = "https://front.example.io/";
const TONE = { name: "tone", chatCompletionUrl: "https://front.example.io/v1/chat/completions" };
const SETTING = "windowsaistudio.remoteInfereneEndpoints";

beforeEach(() => {
  fake.reset();
  delete fake.settings.windowsaistudio;
  require("vscode").window.showQuickPick = async (items) => items;
});

test("an entry is what AI Toolkit asks for", () => {
  assert.deepEqual(entries(["tone"], URL), [TONE]);
  assert.deepEqual(entries(["tone"], URL, "k"), [{ ...TONE, headers: { Authorization: "Bearer k" } }]);
});

test("the same model of the same endpoint is replaced, others stay", () => {
  const other = { name: "tone", chatCompletionUrl: "https://elsewhere/v1/chat/completions" };
  const old = { ...TONE, headers: { Authorization: "Bearer old" } };
  assert.deepEqual(merged([other, old], [TONE]), [other, TONE]);
});

test("AI Toolkit's setting is written once the user agrees to where the key goes", async () => {
  fake.extensions["ms-windows-ai-studio.windows-ai-studio"] = {};
  fake.settings.windowsaistudio = { remoteInfereneEndpoints: [{ name: "mine", chatCompletionUrl: "x" }] };
  await addToPlayground(["tone"], URL, "k");
  assert.deepEqual(fake.written, [], "not without consent");
  fake.answers.push("Write It");
  await addToPlayground(["tone"], URL, "k");
  const value = [{ name: "mine", chatCompletionUrl: "x" }, { ...TONE, headers: { Authorization: "Bearer k" } }];
  assert.deepEqual(fake.written, [{ name: SETTING, value, target: 1 }]);
});

test("without AI Toolkit the values are shown, and the key is not among them", async () => {
  await addToPlayground(["tone"], URL, "k3y");
  const document = fake.shown.find((each) => each.kind === "document");
  assert.match(document.text, /remoteInfereneEndpoints/);
  assert.match(document.text, /Bearer YOUR API KEY/);
  assert.ok(!document.text.includes("k3y"));
  assert.deepEqual(fake.written, []);
});
