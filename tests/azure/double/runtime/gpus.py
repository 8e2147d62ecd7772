"""The GPUs that a subscription may use at the same time."""

from __future__ import annotations

from collections import Counter

from tests.azure.double.capacity import GPUS
from tests.azure.double.state import Resource, State


def kind_of(state: State, app: Resource) -> str | None:
    """The type of the app's workload profile, if it has a GPU."""
    environment = state.find(app.properties["environmentId"])
    assert environment is not None
    for profile in environment.properties["workloadProfiles"]:
        if profile["name"] == app.properties["workloadProfileName"]:
            kind = profile["workloadProfileType"]
            return kind if kind in GPUS else None
    return None


class Gpus:
    def __init__(self, state: State) -> None:
        self._state = state
        self._used: Counter[str] = Counter()
        state.gpus_in_use = self._used

    def take(self, kind: str) -> bool:
        """Whether there was one left; it is the caller's then."""
        if self._used[kind] >= self._state.gpu_quota.get(kind, 0):
            return False
        self._used[kind] += 1
        return True

    def give_back(self, kind: str) -> None:
        self._used[kind] -= 1
