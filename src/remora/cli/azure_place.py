"""Which subscription and resource group a command is about."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from remora.cli.choose import Choice, ask_text, choose, is_asked
from remora.cli.output import Output
from remora.errors import AzureNotFound, ConfigError

if TYPE_CHECKING:
    from remora.azure.clients import Clients
    from remora.azure.places import Group, Subscription

_NEW = ""  # the value of "a new one" in a list of names
_NAME_OF_NEW = "Name of a new resource group"


def said(project: Path, key: str, option: str | None) -> str | None:
    """An option, or else what inference.config.json or finetuning.config.json say."""
    from remora.azure.config_file import read_finetuning_config, read_inference_config

    for config in (read_inference_config(project), read_finetuning_config(project)):
        option = option or (getattr(config, key) if config else None)
    return option


def choose_subscription(
    output: Output, clients: Clients, project: Path, option: str | None
) -> Subscription:
    """The one that is said, or the only one, or the one that the user picks."""
    from remora.azure.places import find_subscription, subscriptions

    if named := said(project, "subscription_id", option):
        return find_subscription(clients, named)
    found = subscriptions(clients)
    if len(found) == 1:
        return found[0]
    choices = [Choice(one.id, one.name, one.id) for one in found]
    chosen = choose(output, "subscription", "--subscription", "Which subscription?", choices)
    return next(one for one in found if one.id == chosen)


def choose_group(
    output: Output,
    clients: Clients,
    project: Path,
    option: str | None,
    location: Callable[[], str | None],
) -> Group:
    """The one that is said or picked; one that does not exist is made later, in a region that
    ``location`` says or the user picks."""
    from remora.azure.places import find_group, groups, new_group

    name = said(project, "resource_group_name", option)
    if name is None:
        found = groups(clients)
        choices = [Choice(one.name, one.name, one.location) for one in found]
        if not output.as_json and is_asked():
            choices.append(Choice(_NEW, "Create a new one"))
        elif not (found or output.as_json):
            raise ConfigError(
                "there is no resource group in the subscription",
                hint="--resource-group with a name and --location make one.",
            )
        name = choose(
            output,
            "resource group",
            "--resource-group",
            "Which resource group?",
            choices,
            other=_NAME_OF_NEW,
        )
        if name == _NEW:
            name = ask_text(output, "--resource-group", _NAME_OF_NEW, "remora")
    group = find_group(clients, name)
    if group is None:
        region = location() or choose_location(output, clients)
        group = new_group(clients.subscription, name, region)
    return group


def choose_location(output: Output, clients: Clients) -> str:
    """The region that the user picks; those with serverless GPUs come first."""
    from remora.azure.places import locations
    from remora.azure.regions import GPUS

    found = sorted(locations(clients), key=lambda one: (one[0] not in GPUS, one[1]))
    choices = [
        Choice(name, title, f"GPUs: {GPUS[name]}" if name in GPUS else "no serverless GPU")
        for name, title in found
    ]
    return choose(output, "location", "--location", "Which region?", choices)


def known_group(clients: Clients, project: Path, option: str | None) -> Group | None:
    """The group that is said; None if Azure does not have it. Raises `ConfigError` if none is."""
    from remora.azure.places import find_group

    name = said(project, "resource_group_name", option)
    if name is None:
        raise ConfigError(
            "no resource group is named",
            hint="--resource-group names it, or infra/inference.config.json.",
        )
    try:
        return find_group(clients, name)
    except AzureNotFound:
        return None
