"""Workload profiles of an environment: what inference needs is added, nothing is taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Profile = Mapping[str, Any]  # as Azure writes it: name, workloadProfileType, counts

CONSUMPTION = "Consumption"
_COUNTS = ("minimumCount", "maximumCount")


def is_serverless(profile_type: str) -> bool:
    """Serverless profiles have no counts: Azure refuses them there."""
    return profile_type.startswith(CONSUMPTION)


def merged(existing: Sequence[Profile], wanted: Sequence[Profile]) -> list[dict[str, Any]]:
    """The existing profiles, in their order, then those wanted that were not there.

    A profile that is there keeps its name and its type, and its limits are never narrowed: another
    app, or a job of the fine-tuning step, may count on them.
    """
    result = {profile["name"]: _plain(profile) for profile in existing}
    for profile in wanted:
        there = result.get(profile["name"])
        result[profile["name"]] = _plain(profile) if there is None else _wider(there, profile)
    return list(result.values())


def profile_for(existing: Sequence[Profile], profile_type: str, name: str) -> str:
    """The name of the profile of that type: an existing one's, or else ``name``, with a number if
    a profile of another type has it."""
    for profile in existing:
        if profile["workloadProfileType"] == profile_type:
            return str(profile["name"])
    taken = {profile["name"] for profile in existing}
    candidate, number = name, 2
    while candidate in taken:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def _wider(there: Mapping[str, Any], wanted: Profile) -> dict[str, Any]:
    """The limits of both."""
    result = dict(there)
    if "maximumCount" in there and "maximumCount" in wanted:
        result["maximumCount"] = max(there["maximumCount"], wanted["maximumCount"])
    return result


def _plain(profile: Profile) -> dict[str, Any]:
    keys = ("name", "workloadProfileType")
    counts = () if is_serverless(profile["workloadProfileType"]) else _COUNTS
    return {key: profile[key] for key in (*keys, *counts) if profile.get(key) is not None}
