"use strict";
/**
 * Questions of a command: it says what it must know and ends with exit code 2; whoever started it
 * asks the user, and runs it again with the answer.
 */

const USAGE = 2;
const QUESTIONS = new Set(["choice", "confirm"]);

/**
 * @typedef {import("./events").RemoraEvent} RemoraEvent
 * @typedef {{code: number, events: RemoraEvent[], cancelled?: boolean}} Result
 *
 * @param {string[]} args
 * @param {(args: string[]) => Promise<Result>} once runs the command
 * @param {(question: RemoraEvent, events: RemoraEvent[]) => Promise<string[] | undefined>} ask
 *   answers with further arguments; undefined if the user leaves
 * @returns {Promise<Result>}
 */
async function converse(args, once, ask) {
  for (;;) {
    const result = await once(args);
    const question = result.code === USAGE ? result.events.find((e) => QUESTIONS.has(e.event)) : undefined;
    if (result.cancelled || question === undefined || args.includes(question.option)) return result;
    const answer = await ask(question, result.events);
    if (answer === undefined) return { ...result, cancelled: true };
    args = [...args, ...answer];
  }
}

module.exports = { converse };
