"use strict";
/** What a command prints, piece by piece, as events: one JSON object a line. */

const { StringDecoder } = require("node:string_decoder");

/**
 * @typedef {{event: string, [field: string]: any}} RemoraEvent
 * @param {(event: RemoraEvent) => void} onEvent
 * @param {(line: string) => void} onText hears every line that is no event
 */
function eventReader(onEvent, onText) {
  const decoder = new StringDecoder("utf8");
  let rest = "";

  function take(text) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(tell);
  }

  function tell(line) {
    const text = line.replace(/\r$/, "");
    const event = parse(text);
    if (event) onEvent(event);
    else if (text.trim()) onText(text);
  }

  return {
    /** @param {Buffer} chunk may end anywhere, also within a character */
    write: (chunk) => take(decoder.write(chunk)),
    end: () => {
      take(decoder.end());
      tell(rest);
      rest = "";
    },
  };
}

function parse(line) {
  if (!line.startsWith("{")) return undefined;
  try {
    const value = JSON.parse(line);
    return typeof value.event === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}

module.exports = { eventReader };
