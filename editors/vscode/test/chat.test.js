"use strict";
const assert = require("node:assert/strict");
const { afterEach, beforeEach, test } = require("node:test");
const vscode = require("./fake_vscode");
const { fakeRemora, unsupported } = require("./fake_remora");
const { Chat } = require("../src/chat");

const ENDPOINT = "https://front.example.io";
const PAGES = `
say("started", { args });
process.stdin.resume();
say("listening", { url: "http://127.0.0.1:1234?" + process.env.REMORA_API_KEY });`;
const options = { skip: unsupported, timeout: 20_000 };

let remora;
let chat;

beforeEach(() => {
  vscode.fake.reset();
  vscode.Uri = { parse: (text) => ({ toString: () => text }) };
  vscode.env.asExternalUri = async (uri) => uri;
});
afterEach(() => {
  chat.dispose();
  remora.remove();
});

function open(body, key) {
  remora = fakeRemora(body);
  const folder = { uri: { fsPath: remora.folder } };
  const keys = { of: async () => key, environment: async () => ({ ...process.env, REMORA_API_KEY: key }) };
  const fail = async (text, hint) => void vscode.fake.shown.push({ kind: "failed", text, hint });
  chat = new Chat({ keys, fail, program: async () => remora.program });
  return { again: () => chat.open(folder, ENDPOINT), opened: chat.open(folder, ENDPOINT) };
}

const addresses = () => vscode.fake.shown.filter((each) => each.text === "simpleBrowser.show").map((each) => each.rest[0]);

test("without a key the endpoint's own pages ask for it", options, async () => {
  await open(PAGES, undefined).opened;
  assert.deepEqual(addresses(), [ENDPOINT]);
});

test("with a key pages on this machine have it, and are started once", options, async () => {
  const { opened, again } = open(PAGES, "k3y");
  await opened;
  await again();
  assert.deepEqual(addresses(), ["http://127.0.0.1:1234?k3y", "http://127.0.0.1:1234?k3y"]);
});

test("pages that can't be shown say why", options, async () => {
  const body = 'say("error", { message: "The pages need Gradio", hint: "Install it." }); process.exit(2);';
  await open(body, "k3y").opened;
  assert.deepEqual(addresses(), []);
  assert.deepEqual(vscode.fake.shown.at(-1), { kind: "failed", text: "The pages need Gradio", hint: "Install it." });
});
