"""Microsoft.App: what a region offers, and how much of it a subscription may use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.state import A100, T4, Json, State


@dataclass(frozen=True)
class Profile:
    """``gib`` of memory; ``quota`` is the end of the quota's name."""

    cores: int
    gib: int
    gpus: int
    quota: str


GPUS = {
    A100: Profile(24, 220, 1, "ConsumptionNCA100Gpus"),
    T4: Profile(8, 56, 1, "ConsumptionT4Gpus"),
    "NC24-A100": Profile(24, 220, 1, "NCA100Gpus"),
    "NC48-A100": Profile(48, 440, 2, "NCA100Gpus"),
    "NC96-A100": Profile(96, 880, 4, "NCA100Gpus"),
}
_CPU = {"D4": (4, 16), "D8": (8, 32), "D16": (16, 64), "E4": (4, 32), "E8": (8, 64)}


def _usages(state: State, scope: str) -> Iterator[Json]:
    yield _usage(f"{scope}ConsumptionCores", 0, 100)
    for name in (A100, T4, "NC24-A100"):
        yield _usage(
            f"{scope}{GPUS[name].quota}",
            state.gpus_in_use.get(name, 0),
            state.gpu_quota.get(name, 0),
        )


def _usage(name: str, used: float, limit: float) -> Json:
    return {
        "name": {"value": name, "localizedValue": name},
        "currentValue": used,
        "limit": limit,
        "unit": "Count",
    }


def usages_of_region(arm: Arm, call: Call) -> Reply:
    count = len(list(arm.state.of_type("Microsoft.App/managedEnvironments")))
    value = [
        _usage("ManagedEnvironmentCount", count, 20),
        *_usages(arm.state, "Subscription"),
    ]
    return Reply(200, {"value": value})


def usages_of_environment(arm: Arm, call: Call) -> Reply:
    return Reply(200, {"value": list(_usages(arm.state, "ManagedEnvironment"))})


def profiles(arm: Arm, call: Call) -> Reply:
    location = call.names["location"]
    offered = {name: GPUS[name] for name in arm.state.offered_profiles(location)}
    value = [
        _offer(location, "Consumption", 4, 8, 0),
        *(_offer(location, name, cores, gib, 0) for name, (cores, gib) in _CPU.items()),
        *(_offer(location, name, p.cores, p.gib, p.gpus) for name, p in offered.items()),
    ]
    return Reply(200, {"value": value})


def _offer(location: str, name: str, cores: int, gib: int, gpus: int) -> Json:
    return {
        "name": name,
        "location": location,
        "properties": {
            "category": "GPU" if gpus else "GeneralPurpose",
            "applicability": "LocationDefault",
            "cores": cores,
            "memoryGiB": gib,
            "gpus": gpus,
            "displayName": name,
        },
    }


def billing_meters(arm: Arm, call: Call) -> Reply:
    meter = {"category": "PremiumSkuGeneralPurpose", "meterType": "vCPU hours"}
    return Reply(200, {"value": [{"name": "D4", "properties": {**meter, "displayName": "D4"}}]})


_REGION = "/subscriptions/{subscription}/providers/Microsoft.App/locations/{location}"
_ENVIRONMENT = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.App/managedEnvironments/{environment}"
)
ROUTES = (
    Route("GET", f"{_REGION}/usages", usages_of_region, "Microsoft.App"),
    Route("GET", f"{_ENVIRONMENT}/usages", usages_of_environment, "Microsoft.App"),
    Route("GET", f"{_REGION}/availableManagedEnvironmentsWorkloadProfileTypes", profiles,
          "Microsoft.App"),
    Route("GET", f"{_REGION}/billingMeters", billing_meters, "Microsoft.App"),
)  # fmt: skip
