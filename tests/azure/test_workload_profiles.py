"""An environment's profiles: added to, never narrowed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from remora.azure.workload_profiles import is_serverless, merged, profile_for

TYPES = ["Consumption", "Consumption-GPU-NC8as-T4", "Consumption-GPU-NC24-A100", "NC24-A100", "D4"]


@st.composite
def profiles(draw: st.DrawFn) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True)):
        kind = draw(st.sampled_from(TYPES))
        found[name] = {"name": name, "workloadProfileType": kind}
        if not is_serverless(kind):
            low, high = sorted(draw(st.tuples(st.integers(0, 5), st.integers(0, 5))))
            found[name] |= {"minimumCount": low, "maximumCount": high}
    return list(found.values())


@given(profiles(), profiles())
def test_nothing_is_dropped_or_narrowed(
    there: list[dict[str, Any]], wanted: list[dict[str, Any]]
) -> None:
    result = {profile["name"]: profile for profile in merged(there, wanted)}
    assert list(result)[: len(there)] == [profile["name"] for profile in there]
    assert {profile["name"] for profile in wanted} <= result.keys()
    for before in there:
        after = result[before["name"]]
        assert after["workloadProfileType"] == before["workloadProfileType"]
        assert after.get("minimumCount") == before.get("minimumCount")
        assert after.get("maximumCount", 0) >= before.get("maximumCount", 0)
    for profile in result.values():
        assert not is_serverless(profile["workloadProfileType"]) or len(profile) == 2
    assert merged(list(result.values()), wanted) == list(result.values())


def test_what_azure_adds_to_an_answer_is_not_sent_back() -> None:
    there = [
        {
            "name": "GPU",
            "workloadProfileType": "Consumption-GPU-NC8as-T4",
            "maximumCount": 1,
            "enableFips": False,
        }
    ]
    assert merged(there, []) == [{"name": "GPU", "workloadProfileType": "Consumption-GPU-NC8as-T4"}]


def test_a_profile_of_the_type_is_used_under_its_own_name() -> None:
    there = [{"name": "mine", "workloadProfileType": "NC24-A100"}]
    assert profile_for(there, "NC24-A100", "GPU") == "mine"
    assert profile_for(there, "Consumption-GPU-NC8as-T4", "GPU") == "GPU"
    taken = [*there, {"name": "GPU", "workloadProfileType": "D4"}]
    assert profile_for(taken, "Consumption-GPU-NC8as-T4", "GPU") == "GPU-2"
