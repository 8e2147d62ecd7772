"""``remora provision``: Azure Container Apps for a project's inference."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remora.cli.options import AsJson, ProjectFolder
from remora.cli.output import INTERRUPTED, Output

if TYPE_CHECKING:
    from remora.azure.clients import Clients
    from remora.azure.deployment import Deployment
    from remora.azure.parameters import Source
    from remora.azure.provision import Plan
    from remora.azure.request import Request


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
    from remora.azure.request import resolve_request
    from remora.cli.plan_table import tell_parameters

    output, folder = Output(json), (project or Path.cwd()).absolute()
    options = _options(location=location, gpu=gpu, image=image, keep_commands=keep_commands)
    begin = time.perf_counter()
    output.say("phase", phase="plan", seconds=None)
    with azure_clients() as signed_in:
        clients, request = _request(
            output, signed_in, folder, subscription, resource_group, options, template, prices
        )
        if explain:
            resolved = resolve_request(clients, request)
            _tell_notes(output, (request.template.origin, *resolved.notes))
            tell_parameters(output, resolved.parameters)
            return
        made = _plan(output, clients, request)
        output.say("phase", phase="plan", seconds=round(time.perf_counter() - begin, 2))
        if made is None or plan:
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


def _plan(output: Output, clients: Clients, request: Request) -> Plan | None:
    """The plan, told; None if a deployment runs already and was followed."""
    from remora.azure.deployment import Deployment
    from remora.azure.provision import make_plan
    from remora.cli.plan_table import tell_plan

    running = Deployment(clients, request.group.name)
    if request.group.exists and running.is_running():
        output.say("following", "A deployment is running already; it is followed.")
        with _interruptible(output, running):
            _follow(output, running, request.project)
        return None
    made = make_plan(clients, request)
    _tell_notes(output, (request.template.origin, *made.resolved.notes))
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
    from remora.azure.deployment import Deployment
    from remora.azure.provision import begin
    from remora.cli.choose import confirm

    if not confirm(output, "Deploy this?", yes=yes):
        output.say("declined", "Nothing was changed.")
        return
    deployment = Deployment(clients, plan.request.group.name)
    with _interruptible(output, deployment):
        begin(clients, plan)
        if plan.keys.made and not plan.resolved.values.get("keepCommands"):
            output.say(
                "api_key",
                f"\nAPI key of the endpoint, shown this once: {plan.keys.api}\n"
                "It is kept as the secret api-key of the app.",
                key=plan.keys.api,
            )
        _follow(output, deployment, plan.request.project)


def _follow(output: Output, deployment: Deployment, project: Path) -> None:
    from remora.azure.config_file import (
        INFERENCE_CONFIG,
        InferenceConfig,
        write_inference_config,
    )
    from remora.cli.deployment_view import DeploymentView

    started = time.perf_counter()
    output.say("phase", phase="deploy", seconds=None)
    output.say("portal", f"Azure shows it at {deployment.portal}", url=deployment.portal)
    with DeploymentView(output) as view:
        config = InferenceConfig.from_outputs(deployment.follow(view))
    write_inference_config(project, config)
    seconds = time.perf_counter() - started
    output.say("phase", phase="deploy", seconds=round(seconds, 2))
    output.say(
        "provisioned",
        f"Provisioned in {seconds:.0f} s; {INFERENCE_CONFIG.as_posix()} is written."
        " `remora deploy` brings your models there.",
        config=config.model_dump(by_alias=True),
    )
    url = f"https://{config.aca_app_endpoint}"
    output.say("endpoint", url, url=url)


@contextmanager
def _interruptible(output: Output, deployment: Deployment) -> Iterator[None]:
    """Ctrl-C ends the command; the user says whether the deployment goes on without it."""
    try:
        yield
    except KeyboardInterrupt:
        if deployment.is_running():
            _interrupted(output, deployment)
        sys.exit(INTERRUPTED)


def _interrupted(output: Output, deployment: Deployment) -> None:
    from remora.cli.choose import is_asked

    asked = not output.as_json and is_asked()
    if asked and not typer.confirm("\nLeave the deployment running?", default=True):
        deployment.cancel()
        output.say("cancelled", "Cancelled; what was made stays.")
        return
    output.say(
        "left_running",
        "It goes on without us. `remora provision` follows it again.",
        portal=deployment.portal,
    )


def _tell_notes(output: Output, notes: tuple[str, ...]) -> None:
    for note in notes:
        output.say("note", f"- {note}", message=note)
