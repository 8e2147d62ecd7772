"use strict";
/** One icon for each state of an endpoint, a release or a model. */

const ICONS = {
  ready: "pass-filled",
  loading: "sync~spin",
  waiting: "sync~spin",
  changing: "sync~spin",
  restarting: "sync~spin",
  asleep: "debug-pause",
  stopped: "circle-slash",
  failed: "error",
};

/** @param {string} state @param {string} otherwise the icon of a state that has none */
const iconOf = (state, otherwise) => ICONS[state] ?? otherwise;

module.exports = { iconOf };
