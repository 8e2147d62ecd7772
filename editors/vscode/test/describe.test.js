"use strict";
const assert = require("node:assert/strict");
const { test } = require("node:test");
const { lines, message } = require("../src/describe");
const { Percent } = require("../src/percent");

const ID = "3f9c2b7d1e5a4f6b8c9d";
const PLAN = {
  event: "plan",
  changes: [{ action: "create", type: "Microsoft.App/containerApps", name: "my-app", reason: "is not there yet" }, { action: "none", type: "share", name: "files", reason: "stays" }],
  cost: { awake_per_hour: 3.671, most_per_hour: 7.342, asleep_per_hour: null, currency: "USD", prices_of: "2026-11-01", region: "westus3" },
};
const COST = ["", "Estimated cost of an hour: 3.67 USD awake (up to 7.34 USD), unknown asleep, by the prices of 2026-11-01 for westus3, without storage and logs."];
const FAILED = { event: "operation", type: "Microsoft.App/containerApps", name: "my-app", state: "Failed", seconds: 3, error: "no quota" };

const cases = [
  [{ event: "phase", phase: "sync", message: "Uploading", seconds: null }, ["Uploading …"], "Uploading"],
  [{ event: "phase", phase: "sync", message: "Uploading", seconds: 2.345 }, ["Uploading: 2.3 s"], undefined],
  [{ event: "phase", phase: "pulling_image", seconds: null }, ["Pulling image …"], "Pulling image"],
  [{ event: "progress", done: 1, total: 2, seconds_left: 3.2 }, [], "Uploading, 4 s left"],
  [{ event: "progress", done: 1, total: 2, seconds_left: null }, [], "Uploading"],
  [{ event: "serving", standing: "loading", detail: "reading weights" }, ["The server is loading: reading weights"], "reading weights"],
  [{ event: "serving", standing: "starting", detail: "" }, ["The server is starting"], "The server is starting"],
  [{ event: "deployed", release: ID, url: "http://h", changes: [] }, ["Nothing has changed.", "Release 3f9c2b7d1e5a is live at http://h"], undefined],
  [{ event: "deployed", release: ID, url: "http://h", changes: ["+ adapter tone"] }, ["+ adapter tone", "Release 3f9c2b7d1e5a is live at http://h"], undefined],
  [{ event: "deployed", release: ID, url: "http://h", asleep: true, changes: [] }, ["Nothing has changed.", "Release 3f9c2b7d1e5a is current, and is served when it wakes, at http://h"], undefined],
  [{ event: "rolled_back", release: ID, url: null }, ["Release 3f9c2b7d1e5a is current; no server runs"], undefined],
  [{ event: "error", message: "no such base", hint: "Name it." }, ["error: no such base", "hint: Name it."], undefined],
  [{ event: "error", message: "no such base", hint: null }, ["error: no such base"], undefined],
  [{ event: "portal", url: "https://portal" }, ["Portal: https://portal"], undefined],
  [PLAN, ["create App/containerApps my-app", "keep share files (stays)", ...COST], undefined],
  [FAILED, ["Failed App/containerApps my-app: no quota"], "Failed App/containerApps my-app"],
  [{ event: "down", ended: true }, ["down, ended true"], undefined],
  [{ event: "told", message: "All is well." }, ["All is well."], undefined],
  [{ event: "api_key", key: "secret" }, [], undefined],
];

for (const [event, expected, progress] of cases) {
  test(JSON.stringify(event).slice(0, 70), () => {
    assert.deepEqual(lines(event), expected);
    assert.equal(message(event), progress);
  });
}

test("the percentage never falls, and reaches 100", () => {
  const percent = new Percent();
  let sum = 0;
  const tell = (event) => {
    const by = percent.after(event);
    assert.ok(by >= 0);
    sum += by;
    return sum;
  };
  for (const phase of ["check", "survey", "sync", "publish", "start", "serve"]) {
    tell({ event: "phase", phase, seconds: null });
    if (phase === "sync") {
      const before = sum;
      const half = tell({ event: "progress", done: 5, total: 10 });
      assert.ok(half > before);
      assert.equal(tell({ event: "progress", done: 2, total: 10 }), half);
      assert.equal(tell({ event: "progress", done: 0, total: 0 }), half);
    }
    tell({ event: "phase", phase, seconds: 0.1 });
  }
  assert.equal(sum, 100);
  assert.equal(tell({ event: "phase", phase: "unknown", seconds: null }), 100);
});
