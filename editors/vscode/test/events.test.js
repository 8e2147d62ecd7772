"use strict";
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { eventReader } = require("../src/events");

const OUTPUT = Buffer.from('{"event": "phase", "phase": "sync"}\r\nWarnung: größer\n\n{"no": "event"}\n{"event": "done", "text": "🐟"}');
const EVENTS = [{ event: "phase", phase: "sync" }, { event: "done", text: "🐟" }];
const TEXTS = ["Warnung: größer", '{"no": "event"}'];

function read(chunks) {
  const events = [];
  const texts = [];
  const reader = eventReader((event) => events.push(event), (text) => texts.push(text));
  chunks.forEach(reader.write);
  reader.end();
  return { events, texts };
}

test("output is read the same wherever it is cut, also within a character", () => {
  for (let cut = 0; cut <= OUTPUT.length; cut += 1) {
    assert.deepEqual(read([OUTPUT.subarray(0, cut), OUTPUT.subarray(cut)]), { events: EVENTS, texts: TEXTS });
  }
});

test("a byte at a time", () => {
  const bytes = [...OUTPUT].map((byte) => Buffer.from([byte]));
  assert.deepEqual(read(bytes), { events: EVENTS, texts: TEXTS });
});

for (const line of ['{"event": 7}', "{broken", "[]", "null", '"event"', '{"event"']) {
  test(`${line} is text`, () => assert.deepEqual(read([Buffer.from(`${line}\n`)]), { events: [], texts: [line] }));
}
