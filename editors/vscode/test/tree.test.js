"use strict";
const assert = require("node:assert/strict");
const { test } = require("node:test");
const vscode = require("./fake_vscode");
const { standing } = require("../src/endpoints");
const { Tree } = require("../src/tree");

const DIGEST = "0123456789abcdef0123";
const FOLDER = { name: "demo", uri: { toString: () => "file:///demo" } };
const REPORT = {
  standing: "ready",
  served: { release: DIGEST, sequence: 1 },
  models: [
    { name: "base", parent: null, digest: DIGEST, state: "ready", reason: null, probe: null },
    { name: "tone", parent: "base", digest: DIGEST, state: "failed", reason: "no effect", probe: { prompt: "c430", max_difference: 6.203125, replay: null, warnings: ["far from training"] } },
  ],
};
const RUNNING = { status: { target: "local", life: "running", url: "http://127.0.0.1:7860", detail: "", report: REPORT } };

function rows(state) {
  vscode.workspace.workspaceFolders = [FOLDER];
  const tree = new Tree({ of: () => state, onDidChange: () => {} });
  const all = [];
  const visit = (node, depth) => {
    all.push([depth, node.contextValue, node.label, node.description, node.iconPath.id]);
    tree.getChildren(node).forEach((child) => visit(child, depth + 1));
  };
  tree.getChildren().forEach((node) => visit(node, 0));
  return all;
}

test("project, release, models, endpoint", () => {
  assert.deepEqual(rows(RUNNING), [
    [0, "project", "demo", "local", "folder"],
    [1, "release", "Release 0123456789ab", "ready", "pass-filled"],
    [2, "base", "base", "ready · 0123456789ab", "pass-filled"],
    [2, "adapter", "tone", "failed · 0123456789ab", "error"],
    [1, "endpoint", "http://127.0.0.1:7860", "ready", "pass-filled"],
  ]);
});

test("before anything is deployed there is a project without an endpoint", () => {
  const state = { status: { target: "local", life: "stopped", url: null, detail: "", report: null } };
  assert.deepEqual(rows(state), [
    [0, "project", "demo", "local", "folder"],
    [1, "noEndpoint", "No endpoint", "stopped", "circle-slash"],
  ]);
});

test("an endpoint that sleeps tells what it will serve", () => {
  const status = { target: "azure", life: "asleep", url: "https://front.example.io", detail: "", report: null };
  assert.deepEqual(rows({ status, current: { release: DIGEST, message: null } }), [
    [0, "project", "demo", "azure", "folder"],
    [1, "release", "Release 0123456789ab", "current", "package"],
    [1, "endpoint", "https://front.example.io", "asleep", "debug-pause"],
  ]);
});

test("an endpoint on Azure tells what it costs now", () => {
  const status = { target: "azure", life: "running", url: "https://front", detail: "", report: null };
  const resources = { event: "resources", cost_per_hour: 1.614, currency: "USD" };
  vscode.workspace.workspaceFolders = [FOLDER];
  const tree = new Tree({ of: () => ({ status, resources }), onDidChange: () => {} });
  const endpoint = tree.getChildren(tree.getChildren()[0]).at(-1);
  assert.equal(endpoint.tooltip, "about 1.61 USD an hour now");
});

test("what can't be found out is unknown, with the reason", () => {
  assert.deepEqual(rows({ problem: "no program" }).at(-1), [1, "noEndpoint", "No endpoint", "unknown", "globe"]);
});

test("an adapter tells why it failed and what its proof found", () => {
  const tree = new Tree({ of: () => RUNNING, onDidChange: () => {} });
  const [project] = tree.getChildren();
  const [release] = tree.getChildren(project);
  assert.equal(tree.getChildren(release)[1].tooltip, `${DIGEST}\nno effect\nmax difference: 6.2\nfar from training`);
});

for (const [expected, state] of [
  ["ready", RUNNING],
  ["asleep", { status: { life: "asleep", report: null } }],
  ["unknown", {}],
]) {
  test(`the endpoint is ${expected}`, () => assert.equal(standing(state), expected));
}
