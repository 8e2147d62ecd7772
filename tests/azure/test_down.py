"""`remora down` and `remora status` on Azure: only what inference created is ever touched."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remora.azure.unique_string import name_suffix
from tests.azure.double.seed import SERVERLESS, Names, fine_tuning
from tests.azure.double.server import AzureDouble
from tests.azure.double.state import A100, SUBSCRIPTION
from tests.azure.signed_in import sign_in
from tests.cli.conftest import Ran, Remora

GROUP = "team"
SUFFIX = name_suffix(f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}")
NAMES = Names.with_suffix(SUFFIX)
APP = f"aiacaapp{SUFFIX}"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def azure(double: AzureDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AzureDouble:
    sign_in(double, tmp_path, monkeypatch)
    double.state.group(GROUP)
    return double


def provision(remora: Remora, project: Path, *arguments: str) -> None:
    ran = remora("provision", str(project), "--resource-group", GROUP, "--yes", *arguments)
    assert ran.code == 0, ran.out + ran.err


def down(remora: Remora, project: Path, *arguments: str) -> Ran:
    return remora("down", str(project), "--json", "--target", "azure", *arguments)


def event(ran: Ran, name: str) -> dict[str, Any]:
    return next(found for found in ran.events if found["event"] == name)


def planned(ran: Ran) -> dict[str, str]:
    return {change["name"]: change["action"] for change in event(ran, "plan")["changes"]}


def after_fine_tuning(azure: AzureDouble) -> set[str]:
    fine_tuning(azure.state, GROUP, NAMES, SERVERLESS)
    return set(azure.state.resources)


def in_an_empty_group(azure: AzureDouble) -> set[str]:
    return set()


@pytest.mark.parametrize(
    ("prepare", "arguments", "kept"),
    [
        (after_fine_tuning, (), {}),
        (in_an_empty_group, (), {NAMES.account: "none"}),
        (in_an_empty_group, ("--with-data",), {}),
    ],
    ids=["after fine-tuning", "alone", "alone, with data"],
)
def test_what_inference_created_goes_and_all_else_stays(
    prepare: Callable[[AzureDouble], set[str]],
    arguments: tuple[str, ...],
    kept: dict[str, str],
    azure: AzureDouble,
    remora: Remora,
    project: Path,
) -> None:
    before = prepare(azure)
    provision(remora, project, "--gpu", A100)
    there = set(azure.state.resources)

    asked = down(remora, project, *arguments)
    assert asked.code == 2
    assert asked.events[-1]["event"] == "confirm"
    assert set(azure.state.resources) == there
    shown = planned(asked)
    assert {name: action for name, action in shown.items() if action == "none"} == kept
    assert {APP, f"{APP}-front"} <= {name for name in shown if shown[name] == "delete"}

    ran = down(remora, project, "--yes", *arguments)
    assert ran.code == 0, ran.out
    assert event(ran, "down")["ended"] is True
    left = set(azure.state.resources)
    assert before <= left
    assert {key for key in left - before if not any(name in key for name in kept)} == set()
    config = json.loads((project / "infra" / "inference.config.json").read_text())
    assert config["ACA_APP_ENDPOINT"] is None
    assert config["RESOURCE_GROUP_NAME"] == GROUP

    again = down(remora, project, "--yes", *arguments)
    assert again.code == 0, again.out
    assert event(again, "down")["ended"] is False
    assert set(azure.state.resources) == left


def test_of_two_projects_in_a_group_one_goes(
    azure: AzureDouble, remora: Remora, project: Path, tmp_path: Path
) -> None:
    provision(remora, project)
    other = tmp_path / "other"
    (other / "infra" / "provision").mkdir(parents=True)
    given = {"parameters": {"acaAppName": {"value": "second"}}}
    file = other / "infra" / "provision" / "inference.parameters.json"
    file.write_text(json.dumps(given), encoding="utf-8")
    provision(remora, other)
    ran = down(remora, other, "--yes")
    assert ran.code == 0, ran.out
    apps = {found.id.name for found in azure.state.of_type("Microsoft.App/containerApps")}
    assert apps == {APP, f"{APP}-front"}
    assert {planned(ran)[name] for name in (NAMES.account, NAMES.environment)} == {"none"}
    last = down(remora, project, "--yes")
    assert last.code == 0, last.out
    assert planned(last)[NAMES.environment] == "delete"


def test_where_no_group_is_named_that_is_told(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    ran = down(remora, project, "--yes")
    assert ran.code == 2
    assert "--resource-group" in event(ran, "error")["hint"]
    ran = down(remora, project, "--yes", "--resource-group", "nowhere")
    assert ran.code == 0
    assert event(ran, "down")["ended"] is False


def test_status_tells_what_exists_and_what_it_costs(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    after_fine_tuning(azure)
    provision(remora, project, "--gpu", A100)
    file = project / "infra" / "inference.config.json"
    config = json.loads(file.read_bytes()) | {"ACA_APP_ENDPOINT": "127.0.0.1:1"}
    file.write_text(json.dumps(config), encoding="utf-8")  # An app on paper does not listen.
    found = event(remora("status", str(project), "--json"), "resources")
    made = {one["name"]: one["created_by_inference"] for one in found["resources"]}
    assert made == {
        APP: True,
        f"{APP}-front": True,
        NAMES.environment: False,
        NAMES.account: False,
    }
    assert all(one["state"] == "Succeeded" for one in found["resources"])
    assert found["cost_per_hour"] is not None
    assert "an hour" in remora("status", str(project)).out
