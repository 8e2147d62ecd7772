"use strict";
/** A command's questions, as quick picks and modal dialogs. */

const vscode = require("vscode");
const { planLines } = require("./describe");

/**
 * @typedef {import("./events").RemoraEvent} RemoraEvent
 * @param {RemoraEvent} question
 * @param {RemoraEvent[]} events what the command said, its plan among it
 * @returns {Promise<string[] | undefined>} arguments that answer; undefined if the user leaves
 */
async function ask(question, events) {
  return question.event === "choice" ? choose(question) : confirm(question, events);
}

async function choose(question) {
  /** @type {(vscode.QuickPickItem & {value?: string})[]} */
  const items = question.choices.map((each) => ({
    label: each.label ?? each.value,
    description: each.value === question.default ? "default" : undefined,
    detail: each.detail || undefined,
    value: each.value,
  }));
  // What is first is what Enter takes.
  items.sort((a, b) => Number(b.value === question.default) - Number(a.value === question.default));
  if (question.other) items.push({ label: `$(add) ${question.other} …`, alwaysShow: true });
  const chosen = await vscode.window.showQuickPick(items, {
    title: question.message,
    placeHolder: "Type to search",
    ignoreFocusOut: true,
    matchOnDetail: true,
  });
  const value = chosen && (chosen.value ?? (await type(question)));
  return value ? [question.option, value] : undefined;
}

function type(question) {
  return vscode.window.showInputBox({ title: question.message, prompt: question.other, ignoreFocusOut: true });
}

async function confirm(question, events) {
  const plan = events.filter((event) => event.event === "plan").flatMap(planLines);
  const yes = "Continue";
  const options = { modal: true, detail: plan.join("\n") };
  const chosen = await vscode.window.showWarningMessage(question.message, options, yes);
  return chosen === yes ? [question.option] : undefined;
}

module.exports = { ask };
