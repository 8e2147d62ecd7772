"use strict";
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { completions, hover, tables } = require("../src/toml_help");

const SCHEMA = require("../schemas/remora.schema.json");
const KNOWN = tables(SCHEMA);
const FILE = ["[model]", 'base = "base"', "", "[server]", "port = 0", "co", "[code]", "platform = ", "[engine]", "prefix_cache = ", "["];
const texts = (number, lines = FILE) => completions(KNOWN, lines, number).map((each) => each.text);

test("tables are completed in a header", () => {
  assert.deepEqual(texts(10), Object.keys(SCHEMA.properties));
  assert.ok(texts(10).includes("adapters"));
});

test("keys of the table are completed, but for those that stand there", () => {
  assert.ok(texts(5).includes("cors_origins"));
  assert.ok(!texts(5).includes("port") && !texts(5).includes("base"));
  assert.ok(!texts(2).includes("base"), "what stands above counts, too");
});

test("a key is written with its equals sign", () => {
  assert.equal(completions(KNOWN, FILE, 5).find((each) => each.text === "host").insert, "host = ");
});

test("values are completed where there are few", () => {
  assert.ok(texts(7).includes('"linux_x86_64"'));
  assert.deepEqual(texts(9), ["true", "false"]);
  assert.deepEqual(texts(4), []);
});

test("a table and a key tell what they are", () => {
  assert.match(hover(KNOWN, FILE, 3), /endpoint/i);
  assert.match(hover(KNOWN, FILE, 4), /Port to listen on.*\n\nDefault: `7860`/s);
  assert.equal(hover(KNOWN, ["[nothing]", "port = 1"], 1), undefined);
  assert.equal(hover(KNOWN, ["# a comment"], 0), undefined);
});

test("adapters have names of the user's choice", () => {
  assert.deepEqual(texts(1, ["[adapters]", "to"]), []);
});
