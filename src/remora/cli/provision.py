"""``remora provision``: Azure Container Apps for a project's inference."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remora.cli.options import AsJson, ProjectFolder
from remora.cli.output import Output

if TYPE_CHECKING:
    from remora.azure.clients import Clients
    from remora.azure.parameters import Source
    from remora.azure.provision import Plan
    from remora.azure.request import Request, Resolved


def provision(
    project: ProjectFolder = None,
    subscription: Annotated[
        str | None, typer.Option(help="Id or name. Default: that of the config files, or asked.")
    ] = None,
    resource_group: Annotated[
        str | None,
        typer.Option(help="Default: that of the config files, or asked. A new one is made."),
    ] = None,
    location: Annotated[
        str | None, typer.Option(help="Region. Default: the environment's or the group's.")
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="Workload profile of the GPU app, or `none` for the CPU."),
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Container image with Remora in it, for both apps.")
    ] = None,
    keep_commands: Annotated[
        bool, typer.Option("--keep-commands", help="Run AI Toolkit's own commands as they are.")
    ] = False,
    template: Annotated[
        Path | None, typer.Option(help="A .bicep or .json of your own. Default: Remora's.")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option(help="A table of prices of your own. Default: REMORA_PRICES, or Remora's."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Stop after the plan.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say where each value comes from, and stop.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Deploy without asking.")] = False,
    json: AsJson = False,
) -> None:
    """Plan, confirm and deploy what inference needs on Azure Container Apps.

    What the fine-tuning step made in the same resource group is used. Run again, it changes only
    what is not as it should be. The endpoint is written to infra/inference.config.json.
    """
    from remora.azure.clients import azure_clients
    from remora.azure.config_file import is_provisioned
    from remora.azure.provision import deployment_of
    from remora.azure.request import resolve_request
    from remora.cli.following import follow, interruptible
    from remora.cli.plan_table import tell_parameters

    output, folder = Output(json), (project or Path.cwd()).absolute()
    options = _options(location=location, gpu=gpu, image=image, keep_commands=keep_commands)
    begin = time.perf_counter()
    output.say("phase", phase="plan", seconds=None)
    with azure_clients() as signed_in:
        clients, request = _request(
            output, signed_in, folder, subscription, resource_group, options, template, prices
        )
        resolved = resolve_request(clients, request)
        for note in (request.template.origin, *resolved.notes):
            output.say("note", f"- {note}", message=note)
        if explain:
            tell_parameters(output, resolved.parameters)
            return
        running = deployment_of(clients, resolved)
        if request.group.exists and running.is_running():
            output.say("following", "A deployment is running already; it is followed.")
            with interruptible(output, running):
                follow(output, running, folder)
            return
        made = _plan(output, clients, resolved)
        output.say("phase", phase="plan", seconds=round(time.perf_counter() - begin, 2))
        if plan:
            return
        if made.changes_nothing and is_provisioned(folder):
            output.say("unchanged", "\nAll is as it should be; nothing was changed.")
            return
        _run(output, clients, made, yes=yes)


def _options(
    *, location: str | None, gpu: str | None, image: str | None, keep_commands: bool
) -> Source:
    from remora.azure.parameters import Origin, Source

    values: dict[str, Any] = {
        "location": location,
        "gpuProfile": gpu,
        "image": image,
        "frontImage": image,
        "keepCommands": keep_commands or None,
    }
    places = {
        "location": "--location",
        "gpuProfile": "--gpu",
        "image": "--image",
        "frontImage": "--image",
        "keepCommands": "--keep-commands",
    }
    return Source(Origin.OPTION, values, places)


def _request(
    output: Output,
    signed_in: Clients,
    folder: Path,
    subscription: str | None,
    resource_group: str | None,
    options: Source,
    template: Path | None,
    prices: Path | None,
) -> tuple[Clients, Request]:
    from remora.azure.cost import read_prices
    from remora.azure.parameters_file import INFERENCE_PARAMETERS, read_parameters
    from remora.azure.request import Request
    from remora.azure.template import find_template
    from remora.cli.azure_place import choose_group, choose_subscription
    from remora.errors import ConfigError

    if not folder.is_dir():
        raise ConfigError(f"the folder {folder} does not exist", hint="Name a project's folder.")
    found, table = find_template(folder, template), read_prices(prices)
    chosen = choose_subscription(output, signed_in, folder, subscription)
    clients = signed_in.of(chosen.id)

    def location() -> str | None:
        file = read_parameters(folder, INFERENCE_PARAMETERS)
        said = options.values["location"] or (file.values.get("location") if file else None)
        return str(said) if said else None

    group = choose_group(output, clients, folder, resource_group, location)
    output.say(
        "place",
        f"{group.name} in {chosen.name}" + ("" if group.exists else f", new in {group.location}"),
        subscription=chosen.id,
        resource_group=group.name,
        exists=group.exists,
    )
    token = os.environ.get("HF_TOKEN", "")
    return clients, Request(folder, group, found, options, table, token)


def _plan(output: Output, clients: Clients, resolved: Resolved) -> Plan:
    """The plan, told. Raises the first of the problems that stand in the way, if there are any."""
    from remora.azure.provision import make_plan
    from remora.cli.plan_table import tell_plan

    made = make_plan(clients, resolved)
    for problem in made.problems:
        text = f"problem: {problem}\n   hint: {problem.hint}"
        output.say("problem", text, message=str(problem), hint=problem.hint)
    if made.problems:
        raise type(made.problems[0])(
            f"nothing was changed: {made.problems[0]}", hint=made.problems[0].hint
        )
    tell_plan(output, made.changes, made.cost)
    return made


def _run(output: Output, clients: Clients, plan: Plan, *, yes: bool) -> None:
    from remora.azure.provision import begin, deployment_of
    from remora.cli.choose import confirm
    from remora.cli.following import follow, interruptible

    if not confirm(output, "Deploy this?", yes=yes):
        output.say("declined", "Nothing was changed.")
        return
    deployment = deployment_of(clients, plan.resolved)
    with interruptible(output, deployment):
        begin(clients, plan)
        if "apiKey" in plan.values and plan.keys.made and not plan.resolved.values["keepCommands"]:
            output.say(
                "api_key",
                f"\nAPI key of the endpoint, shown this once: {plan.keys.api}\n"
                "It is kept as the secret api-key of the app.",
                key=plan.keys.api,
            )
        follow(output, deployment, plan.resolved.request.project)
