"use strict";
/** Connects the help for remora.toml to the editor. */

const fs = require("node:fs");
const vscode = require("vscode");
const { completions, hover, tables } = require("./toml_help");

const FILES = { scheme: "file", pattern: "**/remora.toml" };

/**
 * @param {vscode.Uri} extension the extension's folder
 * @returns {vscode.Disposable}
 */
function tomlLanguage(extension) {
  const schema = fs.readFileSync(vscode.Uri.joinPath(extension, "schemas", "remora.schema.json").fsPath, "utf8");
  const known = tables(JSON.parse(schema));
  const linesOf = (document) => document.getText().split(/\r?\n/);
  return vscode.Disposable.from(
    vscode.languages.registerCompletionItemProvider(FILES, {
      provideCompletionItems: (document, position) =>
        completions(known, linesOf(document), position.line).map(({ text, insert, description }) =>
          Object.assign(new vscode.CompletionItem(text, vscode.CompletionItemKind.Property), {
            insertText: insert,
            documentation: description && new vscode.MarkdownString(description),
          }),
        ),
    }, "[", "="),
    vscode.languages.registerHoverProvider(FILES, {
      provideHover: (document, position) => {
        const found = hover(known, linesOf(document), position.line);
        return found === undefined ? undefined : new vscode.Hover(new vscode.MarkdownString(found));
      },
    }),
  );
}

module.exports = { tomlLanguage };
