"""From a request to what would be deployed, and to what was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from remora.azure.app_keys import HF_TOKEN, AppKeys, keys_from, read_secrets
from remora.azure.change import Action, Change, new_resources
from remora.azure.cost import Cost
from remora.azure.deployment import Deployment
from remora.azure.environment import set_profiles
from remora.azure.existing import added_profiles, left_alone
from remora.azure.inventory import APP, ENVIRONMENT, find
from remora.azure.parameters import Origin
from remora.azure.places import create_group
from remora.azure.preflight import Wanted, problems
from remora.azure.request import Resolved
from remora.azure.sizes import cost_of
from remora.errors import AzureError

if TYPE_CHECKING:
    from remora.azure.clients import Clients


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be deployed. ``values`` are what the template is given, secrets included;
    ``profiles`` what an environment that is left as it is must have besides."""

    resolved: Resolved
    values: Mapping[str, Any] = field(repr=False)
    profiles: tuple[dict[str, Any], ...]
    keys: AppKeys
    changes: tuple[Change, ...]
    problems: tuple[AzureError, ...]
    cost: Cost
    is_new_secret: bool

    @property
    def changes_nothing(self) -> bool:
        """Whether all is as it should be. Azure tells nothing of secrets."""
        return not self.is_new_secret and all(one.action is Action.NONE for one in self.changes)


def deployment_of(clients: Clients, resolved: Resolved) -> Deployment:
    """The deployment of an app, begun or not. Each app of a group has one of its own."""
    app = resolved.values["acaAppName"]
    return Deployment(clients, resolved.request.group.name, f"remora-{app}")


def make_plan(clients: Clients, resolved: Resolved) -> Plan:
    """Ask Azure what is missing, and what would go wrong; nothing is changed.

    Where something would go wrong, changes are not asked for.
    """
    request = resolved.request
    group, names, existing = request.group, resolved.values, resolved.existing
    server = find(existing.resources, APP, names["acaAppName"])
    known = read_secrets(clients, group.name, server.name) if server else {}
    if server and not names["keepCommands"]:
        known |= read_secrets(clients, group.name, names["frontAppName"])
    keys = keys_from(known, request.hf_token)
    gpu, most = str(names["gpuProfile"]), int(names["maximumInstanceCount"])
    wanted = Wanted(
        group=group,
        location=names["location"],
        gpu=gpu,
        storage_account=names["storageAccountName"],
        has_account=existing.account is not None,
        environment=existing.environment,
        is_new=server is None,
    )
    plan = Plan(
        resolved=resolved,
        values=_values(resolved, keys),
        profiles=tuple(added_profiles(existing, gpu=gpu, most=most)),
        keys=keys,
        changes=(),
        problems=tuple(problems(clients, wanted)),
        cost=cost_of(request.prices, names),
        is_new_secret=keys.made or keys.hf_token != known.get(HF_TOKEN, ""),
    )
    return plan if plan.problems else _with_changes(clients, plan)


def begin(clients: Clients, plan: Plan) -> None:
    """Begin what was planned. A resource group that is missing is made, and an environment that
    is left as it is gets its workload profile."""
    create_group(clients, plan.resolved.request.group)
    environment = plan.resolved.existing.environment
    if plan.profiles and environment is not None:
        set_profiles(clients, environment, plan.profiles)
    template = plan.resolved.request.template.content
    deployment_of(clients, plan.resolved).begin(template, plan.values)


def _with_changes(clients: Clients, plan: Plan) -> Plan:
    group, template = plan.resolved.request.group, plan.resolved.request.template.content
    if not group.exists:
        changes = new_resources(group.name, plan.resolved.values)
    else:
        # An app on a workload profile that is yet to be added would be refused.
        changes = deployment_of(clients, plan.resolved).what_if(
            template, plan.values, ask_providers=not plan.profiles
        )
    left = left_alone(plan.resolved.existing)
    environment = plan.resolved.existing.environment
    if plan.profiles and environment is not None:
        had = {one["name"] for one in environment.profiles}
        added = ", ".join(one["name"] for one in plan.profiles if one["name"] not in had)
        what = f"adds the workload profile {added}" if added else "raises a profile's limit"
        changes.insert(0, Change(Action.UPDATE, ENVIRONMENT, environment.name, what))
        left = [one for one in left if one.type != ENVIRONMENT]
    return replace(plan, changes=(*changes, *left))


def _values(resolved: Resolved, keys: AppKeys) -> dict[str, Any]:
    """What is sent: what somebody said, and the secrets. Defaults are the template's own."""
    said = {
        name: {"value": one.value}
        for name, one in resolved.parameters.items()
        if one.origin is not Origin.DEFAULT
    }
    secrets = {
        "apiKey": keys.api,
        "apiKey2": keys.second_api,
        "adminKey": keys.admin,
        "hfToken": keys.hf_token,
    }
    known = resolved.request.template.parameters
    given = {name: {"value": text} for name, text in secrets.items() if text and name in known}
    file = resolved.files.inference
    vault = {name: {"reference": one} for name, one in (file.references if file else {}).items()}
    return {**said, **given, **vault}
