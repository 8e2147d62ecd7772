"""What a replica of each app takes, as the template gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remora.azure.cost import AppSize, Cost, Prices, estimate
from remora.azure.workload_profiles import CONSUMPTION

NO_GPU = "none"

# vCPU and GiB of the container in the GPU app, by the type of its profile.
_SERVERS = {
    "Consumption-GPU-NC8as-T4": AppSize("Consumption-GPU-NC8as-T4", 8, 56),
    "Consumption-GPU-NC24-A100": AppSize("Consumption-GPU-NC24-A100", 24, 220),
    "NC24-A100": AppSize("NC24-A100", 24, 220),
    "NC48-A100": AppSize("NC48-A100", 48, 440),
    "NC96-A100": AppSize("NC96-A100", 96, 880),
    NO_GPU: AppSize(CONSUMPTION, 4, 8),
}
FRONT = AppSize(CONSUMPTION, 0.5, 1)


def server_size(gpu: str) -> AppSize:
    """The size of the GPU app's replica on a profile; unknown ones have no price, either."""
    return _SERVERS.get(gpu, AppSize(gpu, 0, 0))


def cost_of(prices: Prices, values: Mapping[str, Any]) -> Cost:
    """The cost of what is deployed with these values of the template's parameters."""
    own_front = not values.get("keepCommands")
    return estimate(
        prices,
        server=server_size(str(values.get("gpuProfile", ""))),
        front=FRONT if own_front else None,
        most_replicas=int(values.get("maximumInstanceCount", 1)),
        least_replicas=int(values.get("minReplicas", 0)),
        least_fronts=int(values.get("frontMinReplicas", 1)),
    )
