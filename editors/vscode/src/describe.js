"use strict";
/** Events as a person reads them: lines for the output channel, a message for a notification. */

/** @typedef {import("./events").RemoraEvent} RemoraEvent */

const ACTIONS = { none: "keep" };
const SILENT = new Set(["progress", "choice", "confirm", "api_key"]); // a key is never written down

/**
 * @param {RemoraEvent} event
 * @returns {string[]} lines of the output channel
 */
function lines(event) {
  if (SILENT.has(event.event)) return [];
  switch (event.event) {
    case "phase":
      return [event.seconds === null ? `${doing(event)} …` : `${doing(event)}: ${event.seconds.toFixed(1)} s`];
    case "serving":
      return [`The server is ${event.standing}${event.detail ? `: ${event.detail}` : ""}`];
    case "diagnostic":
      return [
        `${event.severity}: ${event.model}: ${event.file}: ${event.reason} [${event.code}]`,
        ...(event.severity === "note" ? [] : [`    ${event.meaning} ${event.fix}`]),
      ];
    case "checked":
      return [`${event.models.length} models: ${event.errors} errors, ${event.warnings} warnings`];
    case "deployed":
      return [...(event.changes.length ? event.changes : ["Nothing has changed."]), `Release ${short(event.release)} is ${event.asleep ? "current, and is served when it wakes," : "live"} at ${event.url}`];
    case "provisioned":
      return ["infra/inference.config.json is written."];
    case "rolled_back":
      return [`Release ${short(event.release)} is ${event.url ? `live at ${event.url}` : "current; no server runs"}`];
    case "plan":
      return planLines(event);
    case "operation":
      return [`${operation(event)}${event.error ? `: ${event.error}` : ""}`];
    case "portal":
      return [`Portal: ${event.url}`];
    case "endpoint":
      return [`Endpoint: ${event.url}`];
    case "error":
      return [`error: ${event.message}`, ...(event.hint ? [`hint: ${event.hint}`] : [])];
    default:
      return [typeof event.message === "string" ? event.message : rest(event)];
  }
}

/**
 * @param {RemoraEvent} event an event of the kind `plan`
 * @returns {string[]} what would be done, a resource a line, then what it costs
 */
function planLines(event) {
  const changes = event.changes.map(({ action, type, name, reason }) => {
    const why = reason && action !== "create" ? ` (${reason})` : "";
    return `${ACTIONS[action] ?? action} ${plain(type)} ${name}${why}`;
  });
  return [...changes, ...costLines(event.cost)];
}

function costLines(cost) {
  if (!cost) return [];
  const money = (value) => (value === null ? "unknown" : `${value.toFixed(2)} ${cost.currency}`);
  const most = cost.most_per_hour === cost.awake_per_hour ? "" : ` (up to ${money(cost.most_per_hour)})`;
  const hour = `Estimated cost of an hour: ${money(cost.awake_per_hour)} awake${most}, ${money(cost.asleep_per_hour)} asleep`;
  return ["", `${hour}, by the prices of ${cost.prices_of} for ${cost.region}, without storage and logs.`];
}

/**
 * @param {RemoraEvent} event
 * @returns {string | undefined} what is being done now; undefined if the event doesn't tell
 */
function message(event) {
  switch (event.event) {
    case "phase":
      return event.seconds === null ? doing(event) : undefined;
    case "progress":
      return event.seconds_left ? `Uploading, ${Math.ceil(event.seconds_left)} s left` : "Uploading";
    case "operation":
      return operation(event);
    case "serving":
      return event.detail || `The server is ${event.standing}`;
    default:
      return undefined;
  }
}

/** The first characters of a release's id, as the command line shows it. */
const short = (digest) => digest.slice(0, 12);
const doing = (event) => event.message ?? capital(words(event.phase));
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const plain = (type) => type.replace("Microsoft.", "");
/** @param {RemoraEvent} event */
const operation = ({ type, name, state }) => `${state} ${plain(type)} ${name}`;
const words = (name) => name.replaceAll("_", " ");
const isPlain = (value) => ["string", "number", "boolean"].includes(typeof value);

function rest({ event, ...fields }) {
  const told = Object.entries(fields).filter(([, value]) => isPlain(value)).map(([key, value]) => `${words(key)} ${value}`);
  return [words(event), ...told].join(", ");
}

module.exports = { lines, message, planLines, short };
