"use strict";
const assert = require("node:assert/strict");
const { beforeEach, test } = require("node:test");
const vscode = require("./fake_vscode");
const { chooseFolder } = require("../src/folders");

const ONE = { name: "one" };
const TWO = { name: "two" };

beforeEach(() => {
  vscode.fake.reset();
  vscode.window.showWorkspaceFolderPick = async () => {
    vscode.fake.shown.push({ kind: "asked" });
    return TWO;
  };
});

const choose = (folders, node) => {
  vscode.workspace.workspaceFolders = folders;
  return chooseFolder(node);
};
const kinds = () => vscode.fake.shown.map((each) => each.kind);

test("the only folder is meant", async () => {
  assert.equal(await choose([ONE]), ONE);
  assert.deepEqual(kinds(), []);
});

test("of several folders the user chooses one", async () => {
  assert.equal(await choose([ONE, TWO]), TWO);
  assert.deepEqual(kinds(), ["asked"]);
});

test("in the view it is the one that was clicked", async () => {
  assert.equal(await choose([ONE, TWO], { folder: ONE }), ONE);
  assert.deepEqual(kinds(), []);
});

for (const none of [[], undefined]) {
  test(`without a folder the user is told (${JSON.stringify(none)})`, async () => {
    assert.equal(await choose(none), undefined);
    assert.deepEqual(kinds(), ["error"]);
  });
}
