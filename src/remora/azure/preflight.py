"""What would make a deployment fail, asked for before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remora.azure.failures import azure_errors
from remora.azure.permissions import missing_actions
from remora.azure.sizes import NO_GPU
from remora.azure.wire import wire
from remora.azure.workload_profiles import is_serverless
from remora.errors import (
    AzureDenied,
    AzureError,
    AzureNameTaken,
    AzureQuota,
    AzureRegion,
    AzureUnregistered,
)

if TYPE_CHECKING:
    from remora.azure.clients import Clients
    from remora.azure.environment import Environment
    from remora.azure.places import Group

PROVIDERS = ("Microsoft.App", "Microsoft.OperationalInsights", "Microsoft.Storage")
# The ends of the names of quotas that count a profile's GPUs.
_QUOTAS = {
    "Consumption-GPU-NC8as-T4": "ConsumptionT4Gpus",
    "Consumption-GPU-NC24-A100": "ConsumptionNCA100Gpus",
    "NC24-A100": "NCA100Gpus",
    "NC48-A100": "NCA100Gpus",
    "NC96-A100": "NCA100Gpus",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be deployed where. ``gpu`` is a workload profile's type, ``none``, or empty where
    the template alone knows it; ``is_new`` says that the GPU app is not there yet, and needs one
    more."""

    group: Group
    location: str
    gpu: str
    storage_account: str
    has_account: bool
    environment: Environment | None
    is_new: bool


Check = Callable[["Clients", Wanted], Iterable[AzureError]]


def problems(clients: Clients, wanted: Wanted) -> list[AzureError]:
    """All that would make the deployment fail, each with its hint; empty if nothing is known."""
    checks: tuple[Check, ...] = (
        _role, _providers, _profile, _quota, _storage_name, _environment,
    )  # fmt: skip
    with ThreadPoolExecutor(len(checks)) as pool:
        found = pool.map(lambda check: _outcome(check, clients, wanted), checks)
        return [error for errors in found for error in errors]


def _outcome(check: Check, clients: Clients, wanted: Wanted) -> list[AzureError]:
    """What a check finds; where it can't be made, that is what it finds."""
    try:
        return list(check(clients, wanted))
    except AzureError as error:
        return [error]


def _providers(clients: Clients, wanted: Wanted) -> Iterator[AzureError]:
    for name in PROVIDERS:
        with azure_errors(f"looking at the provider {name}"):
            state = wire(clients.resources.providers.get(name).registration_state)
        if state.lower() not in {"registered", "registering"}:
            yield AzureUnregistered(
                f"the subscription has not registered the resource provider {name}",
                hint=f"Register it once: `az provider register --namespace {name}`.",
            )


def _profile(clients: Clients, wanted: Wanted) -> Iterator[AzureError]:
    if wanted.gpu in {"", NO_GPU}:
        return
    with azure_errors(f"asking what {wanted.location} offers"):
        found = list(clients.apps.available_workload_profiles.get(wanted.location))
    names = [str(one.name) for one in found]
    if wanted.gpu not in names:
        gpus = [str(one.name) for one in found if one.properties and (one.properties.gpus or 0) > 0]
        offered = f"it offers {', '.join(gpus)}" if gpus else "it offers no GPU"
        yield AzureRegion(
            f"the region {wanted.location} does not offer {wanted.gpu}; {offered}",
            hint="Choose one of these with --gpu, or another region with --location; an"
            " environment that exists can't move.",
        )


def _quota(clients: Clients, wanted: Wanted) -> Iterator[AzureError]:
    ending = _QUOTAS.get(wanted.gpu)
    if ending is None or not wanted.is_new:
        return
    with azure_errors(f"asking for the quotas in {wanted.location}"):
        found = list(clients.apps.usages.list(wanted.location))
    for one in found:
        name = str(one.name.value or "").replace(" ", "")
        # `NCA100Gpus` also ends the name of the serverless quota.
        if not name.lower().endswith(ending.lower()) or (
            "consumption" in name.lower()
        ) != is_serverless(wanted.gpu):
            continue
        if one.limit - one.current_value < 1:
            yield AzureQuota(
                f"no {wanted.gpu} is left in {wanted.location}: {one.current_value:.0f} of"
                f" {one.limit:.0f} GPUs are in use ({name})",
                hint="Ask for more in the Azure portal (Quotas, provider Container Apps), or"
                " choose another profile with --gpu, or another region.",
            )


def _storage_name(clients: Clients, wanted: Wanted) -> Iterator[AzureError]:
    from azure.mgmt.storage.models import StorageAccountCheckNameAvailabilityParameters

    name = wanted.storage_account
    if wanted.has_account:
        return
    with azure_errors(f"asking whether the name {name} is free"):
        answer = clients.storage.storage_accounts.check_name_availability(
            StorageAccountCheckNameAvailabilityParameters(name=name)
        )
    if not answer.name_available:
        yield AzureNameTaken(
            f"the storage account name {name} is taken, and not by this resource group",
            hint="If it is yours, storageAccountResourceGroup in"
            " infra/provision/inference.parameters.json says where it is; if not, set"
            " storageAccountName there.",
        )


def _role(clients: Clients, wanted: Wanted) -> Iterator[AzureError]:
    missing = missing_actions(clients, wanted.group)
    if missing:
        yield AzureDenied(
            f"your role does not allow {', '.join(missing)}",
            hint=f"Ask for the role Contributor on {wanted.group.name}.",
        )


def _environment(clients: Clients, wanted: Wanted) -> Iterator[AzureError]:
    environment = wanted.environment
    if environment is None:
        return
    state = environment.state.lower()
    if not environment.profiles:
        yield AzureError(
            f"the environment {environment.name} knows no workload profiles: it is of the older"
            " kind, Consumption only",
            hint="Name another in acaEnvironmentName: what is not there is made.",
        )
    elif _is_too_late(environment, wanted.gpu):
        yield AzureError(
            f"the environment {environment.name} has no profile of the type {wanted.gpu}: Azure"
            " gives dedicated GPUs to an environment only when it is created",
            hint="Choose a serverless one with --gpu (Consumption-GPU-...), or name another"
            " environment in acaEnvironmentName: what is not there is made.",
        )
    if state == "failed":
        yield AzureError(
            f"the environment {environment.name} is in a failed state; nothing can be deployed into"
            " it",
            hint="The Azure portal says why. If nothing else runs in it, delete it and run this"
            " again: it is made anew.",
        )
    elif state not in {"", "succeeded"}:
        yield AzureError(
            f"the environment {environment.name} is being changed now ({environment.state})",
            hint="Wait a few minutes, and run this again.",
        )


def _is_too_late(environment: Environment, gpu: str) -> bool:
    types = {one["workloadProfileType"] for one in environment.profiles}
    return gpu not in {"", NO_GPU} and not is_serverless(gpu) and gpu not in types
