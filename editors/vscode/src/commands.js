"use strict";
/** The palette's commands: each runs the command line, and shows what it says. */

const vscode = require("vscode");
const commandLines = require("./command_lines");
const { short } = require("./describe");
const { standing } = require("./endpoints");
const { chooseFolder } = require("./folders");
const { addToPlayground } = require("./playground");

const DEPLOY = "Deploy for inference";
const OPEN = "Go to Inference Endpoint";
const CHAT = "Open Chat";
const PORTAL = "Show in Azure";
const GONE = new Set(["stopped", "failed"]);
const UNFIT = 3; // exit code of a check that has found an error

/**
 * @typedef {object} Parts
 * @property {import("./runner").Runner} runner
 * @property {import("./endpoints").Endpoints} endpoints
 * @property {import("./chat").Chat} chat
 * @property {import("./problems").Problems} problems
 * @property {import("./keys").Keys} keys
 * @property {vscode.OutputChannel} output
 *
 * @param {Parts} parts
 * @returns {Record<string, (node?: any) => Promise<void>>} handlers by the command's name
 */
function commands({ runner, endpoints, chat, problems, keys, output }) {
  const pathOf = (folder) => folder.uri.fsPath;

  async function perform(folder, title, args) {
    const result = await runner.perform(folder, title, args);
    void endpoints.refresh(folder);
    return result;
  }

  async function provision(folder) {
    output.show(true); // The link to the portal stands there first.
    const done = await perform(folder, "Provision Azure Container Apps for inference", commandLines.provision(pathOf(folder)));
    if (!done?.ok) return;
    const portal = done.events.find((event) => event.event === "portal")?.url;
    const chosen = await vscode.window.showInformationMessage("Provisioning done.", DEPLOY, ...(portal ? [PORTAL] : []));
    if (chosen === DEPLOY) await deploy(folder);
    if (chosen === PORTAL) await vscode.env.openExternal(vscode.Uri.parse(portal));
  }

  async function deploy(folder) {
    const done = await perform(folder, DEPLOY, commandLines.deploy(pathOf(folder)));
    if (!done?.ok) return;
    const chosen = await vscode.window.showInformationMessage("Deployment done.", OPEN, CHAT);
    if (chosen === OPEN) await open(folder);
    if (chosen === CHAT) await openChat(folder);
  }

  /** The endpoint's address as of now; without one that answers the user is told. */
  async function address(folder) {
    const { status, problem } = await endpoints.refresh(folder);
    if (status?.url && !GONE.has(status.life)) return status.url;
    const told = problem ?? `There is no endpoint: it is ${status?.life}.`;
    const chosen = await vscode.window.showErrorMessage(told, DEPLOY);
    if (chosen === DEPLOY) await deploy(folder);
    return undefined;
  }

  async function open(folder) {
    const url = await address(folder);
    if (url) await vscode.env.openExternal(await vscode.env.asExternalUri(vscode.Uri.parse(url)));
  }

  async function openChat(folder) {
    const url = await address(folder);
    if (url) await chat.open(folder, url);
  }

  async function check(folder) {
    const done = await runner.perform(folder, "Check adapter", commandLines.check(pathOf(folder)), [0, UNFIT]);
    if (!done) return;
    await problems.show(done.events);
    const isFound = done.events.some((event) => event.event === "diagnostic");
    if (isFound) await vscode.commands.executeCommand("workbench.actions.view.problems");
    else if (done.ok) void vscode.window.showInformationMessage("The base model and its adapters fit together.");
  }

  async function showStatus(folder) {
    const state = await endpoints.refresh(folder);
    const { status, problem } = state;
    if (!status) {
      void runner.fail(problem ?? "The endpoint's status is unknown");
      return;
    }
    const report = status.report;
    output.appendLine(`\n${folder.name}: ${standing(state)}${status.url ? ` at ${status.url}` : ""}`);
    if (report?.served) output.appendLine(`Release ${report.served.release}`);
    for (const model of report?.models ?? []) {
      output.appendLine(`  ${model.name}  ${model.state}  ${short(model.digest)}  ${model.reason ?? ""}`.trimEnd());
    }
    const told = `The endpoint of ${folder.name} is ${standing(state)}${report?.reason ? `: ${report.reason}` : ""}.`;
    const chosen = await vscode.window.showInformationMessage(told, ...(report ? [OPEN, "Show Log"] : [DEPLOY, "Show Log"]));
    if (chosen === OPEN) await open(folder);
    if (chosen === DEPLOY) await deploy(folder);
    if (chosen === "Show Log") output.show();
  }

  async function rollback(folder) {
    const result = await runner.look(folder, commandLines.releases(pathOf(folder)));
    const steps = (result?.events ?? []).filter((event) => event.event === "release").reverse();
    const current = steps.find((step) => step.current);
    const earlier = steps.filter((step, index) => step.release !== current?.release && steps.findIndex((other) => other.release === step.release) === index);
    if (earlier.length === 0) {
      void vscode.window.showInformationMessage("There is no earlier release.");
      return;
    }
    const items = earlier.map((step) => ({
      label: short(step.release),
      description: `${new Date(step.at).toLocaleString()} by ${step.by}`,
      detail: [step.message, ...step.changes].filter(Boolean).join(" · "),
      release: step.release,
    }));
    const chosen = await vscode.window.showQuickPick(items, { placeHolder: "Which release is to be served again?", matchOnDetail: true });
    if (!chosen) return;
    const done = await perform(folder, "Roll back", commandLines.rollback(pathOf(folder), chosen.release));
    if (done?.ok) void vscode.window.showInformationMessage(`Release ${chosen.label} is current again.`);
  }

  async function down(folder) {
    const done = await perform(folder, "Tear down", commandLines.down(pathOf(folder)));
    if (!done?.ok) return;
    const wasThere = done.events.some((event) => event.event === "down" && event.ended);
    void vscode.window.showInformationMessage(wasThere ? "The endpoint is gone. Its releases stay." : "There was no endpoint.");
  }

  async function setApiKey(folder) {
    const key = await vscode.window.showInputBox({
      title: `API key of the endpoint of ${folder.name}`,
      prompt: "It stays in VS Code's secret storage. Leave it empty to forget the key.",
      password: true,
      ignoreFocusOut: true,
      validateInput: (text) => (/^[!-~]*$/.test(text.trim()) ? undefined : "A key holds no spaces, and ASCII characters alone."),
    });
    if (key !== undefined) await keys.set(pathOf(folder), key.trim());
  }

  async function playground(folder) {
    const url = await address(folder);
    const models = endpoints.of(folder).status?.report?.models ?? [];
    if (url && models.length === 0) void vscode.window.showErrorMessage("The endpoint tells no models now. Try again when it is ready.");
    else if (url) await addToPlayground(models.map((model) => model.name), url, await keys.of(pathOf(folder)));
  }

  /** In a terminal: what it prints comes as it is, and Ctrl-C ends it. */
  async function inTerminal(folder, name, args) {
    const program = await runner.program(folder);
    if (!program) return;
    const env = await keys.environment(pathOf(folder));
    vscode.window.createTerminal({ name, shellPath: program, shellArgs: args, cwd: folder.uri, env }).show();
  }

  const forFolder = (handler) => async (node) => {
    const folder = await chooseFolder(node);
    if (folder) await handler(folder);
  };

  return {
    "remora.provision": forFolder(provision),
    "remora.deploy": forFolder(deploy),
    "remora.openEndpoint": forFolder(open),
    "remora.openChat": forFolder(openChat),
    "remora.check": forFolder(check),
    "remora.status": forFolder(showStatus),
    "remora.logs": forFolder((folder) => inTerminal(folder, "Remora: logs", commandLines.logs(pathOf(folder)))),
    "remora.rollback": forFolder(rollback),
    "remora.runLocally": forFolder((folder) => inTerminal(folder, "Remora", commandLines.serve(pathOf(folder)))),
    "remora.down": forFolder(down),
    "remora.setApiKey": forFolder(setApiKey),
    "remora.addToPlayground": forFolder(playground),
    "remora.refresh": async () => endpoints.refreshAll(),
    "remora.copyAddress": async (node) => vscode.env.clipboard.writeText(node.url),
    "remora.copyModel": async (node) => vscode.env.clipboard.writeText(node.model.name),
  };
}

module.exports = { commands };
