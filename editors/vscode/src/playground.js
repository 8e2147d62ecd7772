"use strict";
/**
 * The endpoint's models in AI Toolkit's playground, which lists remote models from a setting:
 * objects of `name`, `chatCompletionUrl` and `headers`.
 */

const vscode = require("vscode");

const EXTENSION = "ms-windows-ai-studio.windows-ai-studio";
const SECTION = "windowsaistudio";
const SETTING = "remoteInfereneEndpoints"; // spelt so by AI Toolkit

/**
 * @param {string[]} models
 * @param {string} url of the endpoint
 * @param {string} [key]
 */
function entries(models, url, key) {
  const headers = key ? { headers: { Authorization: `Bearer ${key}` } } : {};
  return models.map((name) => ({ name, chatCompletionUrl: `${url.replace(/\/$/, "")}/v1/chat/completions`, ...headers }));
}

/** What is there, with the new ones in the place of those of the same model and address. */
function merged(present, added) {
  const same = (a) => (b) => a.name === b.name && a.chatCompletionUrl === b.chatCompletionUrl;
  return [...present.filter((each) => !added.some(same(each))), ...added];
}

/**
 * @param {string[]} models
 * @param {string} url
 * @param {string} [key]
 */
async function addToPlayground(models, url, key) {
  const chosen = await vscode.window.showQuickPick(models, { canPickMany: true, placeHolder: "Which models?" });
  if (!chosen?.length) return;
  if (!vscode.extensions.getExtension(EXTENSION)) {
    await show(entries(chosen, url, key && "YOUR API KEY"));
    return;
  }
  if (key && !(await mayBeWritten())) return;
  const configuration = vscode.workspace.getConfiguration(SECTION);
  const present = configuration.inspect(SETTING)?.globalValue ?? [];
  await configuration.update(SETTING, merged(present, entries(chosen, url, key)), vscode.ConfigurationTarget.Global);
  void vscode.window.showInformationMessage(`AI Toolkit's playground lists ${chosen.join(", ")} now.`);
}

async function mayBeWritten() {
  const write = "Write It";
  const detail = "AI Toolkit reads it from your user settings, a file of plain text that settings sync may copy.";
  const told = "Write the endpoint's API key into your settings?";
  return (await vscode.window.showWarningMessage(told, { modal: true, detail }, write)) === write;
}

/** Without AI Toolkit the setting can't be written: show what belongs there. */
async function show(added) {
  const content = [
    "// AI Toolkit for VS Code is not installed here. Where it is, this belongs into the user settings,",
    '// or answer the questions of "AI Toolkit: Add model for remote inference" with these values.',
    JSON.stringify({ [`${SECTION}.${SETTING}`]: added }, null, 2),
    "",
  ].join("\n");
  const document = await vscode.workspace.openTextDocument({ language: "jsonc", content });
  await vscode.window.showTextDocument(document);
}

module.exports = { addToPlayground, entries, merged };
