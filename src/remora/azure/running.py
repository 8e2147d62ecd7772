"""What of inference runs at this moment, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from remora.azure.cost import AppSize, Prices, dedicated, idle_hour, replica_hour
from remora.azure.environment import read_environment
from remora.azure.inventory import (
    APP,
    ENVIRONMENT,
    FRONT_TAG,
    STORAGE_ACCOUNT,
    Resource,
    find,
    inventory,
    read_app,
    running_replicas,
)
from remora.azure.resource_id import parse
from remora.azure.sizes import FRONT

if TYPE_CHECKING:
    from azure.mgmt.appcontainers.models import ContainerApp

    from remora.azure.clients import Clients
    from remora.azure.config_file import InferenceConfig


@dataclass(frozen=True, slots=True)
class Running:
    """``cost`` is money per hour now; None where the table has no price for the GPU's profile."""

    resources: tuple[Resource, ...]
    replicas: int
    fronts: int
    cost: float | None
    prices: Prices


def running(clients: Clients, config: InferenceConfig, prices: Prices) -> Running:
    """Ask for the resources of a project that was provisioned. Raises `AzureError`."""
    group, name = str(config.resource_group_name), str(config.aca_app_name)
    found = inventory(clients, group)
    app = read_app(clients, group, name)
    if app is None:
        return Running((), 0, 0, 0.0, prices)
    properties: Any = app.properties
    environment = parse(properties.environment_id or properties.managed_environment_id or "")
    front = (app.tags or {}).get(FRONT_TAG, "")
    wanted = [
        (APP, name),
        (APP, front),
        (ENVIRONMENT, environment.name),
        (STORAGE_ACCOUNT, str(config.storage_account_name)),
    ]
    resources = [find(found, kind, one) for kind, one in wanted]
    replicas = running_replicas(clients, group, name)
    fronts = running_replicas(clients, group, front) if front and resources[1] else 0
    size = _size(clients, environment.group, environment.name, app)
    hour = replica_hour(prices, size)
    fee = prices.dedicated.management_hour if size.profile in dedicated(prices) else 0.0
    if replicas and hour is None:
        cost = None
    else:
        cost = replicas * (hour or 0.0) + fronts * idle_hour(prices, FRONT) + fee
    there = tuple(one for one in resources if one is not None)
    return Running(there, replicas, fronts, cost, prices)


def _size(clients: Clients, group: str, environment: str, app: ContainerApp) -> AppSize:
    """What a replica takes, as the app itself says."""
    properties: Any = app.properties
    found = read_environment(clients, group, environment)
    types = {one["name"]: one["workloadProfileType"] for one in found.profiles} if found else {}
    resources = properties.template.containers[0].resources
    return AppSize(
        profile=types.get(properties.workload_profile_name, "Consumption"),
        vcpu=float(resources.cpu or 0),
        memory=float(str(resources.memory or "0Gi").removesuffix("Gi")),
    )
