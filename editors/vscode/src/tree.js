"use strict";
/** The view: project → current release → models, and the endpoint. */

const vscode = require("vscode");
const { short } = require("./describe");
const { standing } = require("./endpoints");
const { iconOf } = require("./icons");

/** @typedef {vscode.TreeItem & {folder: vscode.WorkspaceFolder, children?: () => Node[], model?: any, url?: string}} Node */

/** @implements {vscode.TreeDataProvider<Node>} */
class Tree {
  /** @param {import("./endpoints").Endpoints} endpoints */
  constructor(endpoints) {
    this.endpoints = endpoints;
    this.onDidChangeTreeData = endpoints.onDidChange;
  }

  getTreeItem(node) {
    return node;
  }

  /** @param {Node} [node] */
  getChildren(node) {
    if (node) return node.children?.() ?? [];
    return (vscode.workspace.workspaceFolders ?? []).map((folder) => this.#project(folder));
  }

  #project(folder) {
    const state = this.endpoints.of(folder);
    return item(folder, folder.name, {
      id: folder.uri.toString(),
      contextValue: "project",
      description: state.status?.target,
      iconPath: new vscode.ThemeIcon("folder"),
      children: () => [...release(folder, state), endpoint(folder, state)],
    });
  }
}

/** @param {vscode.WorkspaceFolder} folder @param {import("./endpoints").State} state */
function release(folder, { status, current }) {
  const report = status?.report;
  const id = report?.served?.release ?? current?.release;
  if (!id) return [];
  const now = report?.standing ?? "current";
  return [
    item(folder, `Release ${short(id)}`, {
      // VS Code remembers by the id whether an item can be opened.
      id: `${folder.uri}#${report ? "release" : "current"}`,
      contextValue: "release",
      description: now,
      tooltip: [id, report?.reason, report?.hint, current?.message].filter(Boolean).join("\n"),
      iconPath: icon(now, "package"),
      children: report && (() => report.models.map((each) => model(folder, each))),
    }),
  ];
}

function model(folder, each) {
  return item(folder, each.name, {
    id: `${folder.uri}#model/${each.name}`,
    contextValue: each.parent ? "adapter" : "base",
    description: `${each.state} · ${short(each.digest)}`,
    tooltip: [each.digest, each.reason, ...probe(each)].filter(Boolean).join("\n"),
    iconPath: icon(each.state, each.parent ? "extensions" : "database"),
    model: each,
  });
}

/** What the proof at load found: a line for each figure, and its warnings. */
function probe({ probe: found }) {
  const figures = Object.entries(found ?? {}).filter(([, value]) => typeof value === "number");
  const lines = figures.map(([key, value]) => `${key.replaceAll("_", " ")}: ${Number(value.toPrecision(3))}`);
  return [...lines, ...(found?.warnings ?? [])];
}

function endpoint(folder, state) {
  const url = state.status?.url ?? undefined;
  const now = standing(state);
  return item(folder, url ?? "No endpoint", {
    id: `${folder.uri}#endpoint`,
    contextValue: url ? "endpoint" : "noEndpoint",
    description: now,
    tooltip: [state.problem, state.status?.detail, cost(state)].filter(Boolean).join("\n") || undefined,
    iconPath: icon(now, "globe"),
    command: url && { command: "remora.openEndpoint", title: "Go to Inference Endpoint", arguments: [{ folder }] },
    url,
  });
}

function cost({ resources }) {
  const now = resources?.cost_per_hour;
  return typeof now === "number" ? `about ${now.toFixed(2)} ${resources.currency} an hour now` : undefined;
}

/**
 * @param {vscode.WorkspaceFolder} folder
 * @param {string} label
 * @param {Partial<Node>} properties
 * @returns {Node}
 */
function item(folder, label, { children, ...fields }) {
  const collapsed = children ? vscode.TreeItemCollapsibleState.Expanded : vscode.TreeItemCollapsibleState.None;
  // Without it a screen reader would read the tooltip in the place of the name.
  const accessibilityInformation = { label: [label, fields.description].filter(Boolean).join(" ") };
  return Object.assign(new vscode.TreeItem(label, collapsed), { folder, children, accessibilityInformation }, fields);
}

function icon(state, otherwise) {
  return new vscode.ThemeIcon(iconOf(state, otherwise));
}

module.exports = { Tree };
