"""`remora provision` where something stands in the way, or breaks on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.azure.double.errors import ArmError
from tests.azure.double.seed import SERVERLESS, Names, fine_tuning
from tests.azure.double.server import AzureDouble
from tests.azure.double.state import SUBSCRIPTION, T4
from tests.azure.signed_in import sign_in, variables
from tests.cli.conftest import Ran, Remora

GROUP = "team"
NAMES = Names()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """One that names resources, so that a test can prepare them."""
    folder = tmp_path / "project" / "infra" / "provision"
    folder.mkdir(parents=True)
    names = {"storageAccountName": NAMES.account, "acaEnvironmentName": NAMES.environment}
    given = {"parameters": {name: {"value": value} for name, value in names.items()}}
    (folder / "inference.parameters.json").write_text(json.dumps(given), encoding="utf-8")
    return tmp_path / "project"


@pytest.fixture
def azure(double: AzureDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AzureDouble:
    sign_in(double, tmp_path, monkeypatch)
    double.state.group(GROUP)
    return double


def run(remora: Remora, project: Path, *arguments: str) -> Ran:
    return remora("provision", str(project), "--resource-group", GROUP, "--json", *arguments)


def unregistered(double: AzureDouble) -> None:
    double.state.subscriptions[SUBSCRIPTION].providers["Microsoft.App"] = "NotRegistered"


def reader(double: AzureDouble) -> None:
    double.state.permissions = [{"actions": ["*/read", "*/whatIf/action"], "notActions": []}]


def no_t4_here(double: AzureDouble) -> None:
    double.state.profiles["westus3"] = ("Consumption-GPU-NC24-A100",)


def no_quota(double: AzureDouble) -> None:
    double.state.gpu_quota[T4] = 0


def name_taken(double: AzureDouble) -> None:
    double.state.taken_names.add(NAMES.account)


def environment_is(state: str) -> Callable[[AzureDouble], None]:
    def prepare(double: AzureDouble) -> None:
        fine_tuning(double.state, GROUP, NAMES, SERVERLESS)
        found = next(double.state.of_type("Microsoft.App/managedEnvironments"))
        found.properties["provisioningState"] = state

    return prepare


def policy(double: AzureDouble) -> None:
    error = ArmError(403, "RequestDisallowedByPolicy", "Resources need the tag owner.")
    double.state.refusals.append(("Microsoft.App/containerApps", error))


def locked(double: AzureDouble) -> None:
    error = ArmError(409, "ScopeLocked", "The scope is locked.")
    double.faults.answer(error, "/deployments/", method="PUT")


OBSTACLES: dict[str, tuple[Callable[[AzureDouble], None], str, str]] = {
    "provider": (unregistered, "not registered the resource provider Microsoft.App", "az provider"),
    "role": (reader, "your role does not allow Microsoft.Resources/deployments/write", "Contrib"),
    "region": (no_t4_here, f"westus3 does not offer {T4}", "--gpu"),
    "quota": (no_quota, "0 of 0 GPUs are in use (SubscriptionConsumptionT4Gpus)", "Quotas"),
    "name": (name_taken, f"the storage account name {NAMES.account} is taken", "storageAccount"),
    "failed environment": (environment_is("Failed"), "is in a failed state", "portal"),
    "busy environment": (environment_is("Updating"), "is being changed now (Updating)", "Wait"),
    "policy": (policy, "need the tag owner. (RequestDisallowedByPolicy)", "policy"),
    "lock": (locked, "The scope is locked. (ScopeLocked)", "lock"),
}


@pytest.mark.parametrize("name", OBSTACLES)
def test_an_obstacle_is_told_with_what_to_do_and_nothing_is_made(
    name: str, azure: AzureDouble, remora: Remora, project: Path
) -> None:
    prepare, told, hint = OBSTACLES[name]
    prepare(azure)
    before = set(azure.state.resources)
    ran = run(remora, project, "--yes")
    assert ran.code == 8
    error = ran.events[-1]
    assert error["event"] == "error"
    assert told in error["message"]
    assert hint in error["hint"]
    assert set(azure.state.resources) == before


def test_a_dedicated_gpu_comes_only_with_a_new_environment(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    fine_tuning(azure.state, GROUP, NAMES, SERVERLESS)
    ran = run(remora, project, "--plan", "--gpu", "NC24-A100")
    assert ran.code == 8
    assert "has no profile of the type NC24-A100" in ran.events[-1]["message"]


def test_all_obstacles_are_told_at_once(azure: AzureDouble, remora: Remora, project: Path) -> None:
    for prepare in (unregistered, no_quota, name_taken):
        prepare(azure)
    ran = run(remora, project, "--plan")
    assert ran.code == 8
    problems = [event["message"] for event in ran.events if event["event"] == "problem"]
    assert len(problems) == 3


@pytest.mark.parametrize(
    "trouble",
    [
        lambda faults: faults.throttle(times=3),
        lambda faults: faults.throttle("operations", times=2),
        lambda faults: faults.fail("whatIf", status=503),
        lambda faults: faults.cut("deployments/remora-[^/]*$", times=2, skip=1),
        lambda faults: faults.cut("operationResults"),
    ],
    ids=["429 everywhere", "429 in polls", "503", "cut connection", "cut poll"],
)
def test_what_passes_by_itself_disturbs_nothing(
    trouble: Callable[..., None], azure: AzureDouble, remora: Remora, project: Path
) -> None:
    trouble(azure.faults)
    ran = run(remora, project, "--yes")
    assert ran.code == 0, ran.out
    assert ran.events[-1]["event"] == "endpoint"


def test_nobody_signed_in_is_told_how_to_sign_in(
    azure: AzureDouble, remora: Remora, project: Path, tmp_path: Path
) -> None:
    (tmp_path / "bin" / "az").write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    ran = run(remora, project)
    assert ran.code == 8
    assert "az login" in ran.events[-1]["hint"]


def test_a_subscription_that_cant_be_seen_is_told_with_those_that_can(
    azure: AzureDouble, remora: Remora, project: Path
) -> None:
    ran = run(remora, project, "--subscription", "Nowhere")
    assert ran.code == 8
    assert "'Nowhere'" in ran.events[-1]["message"]
    assert "Team" in ran.events[-1]["hint"]


@pytest.mark.skipif(sys.platform == "win32", reason="a console event can't be sent to one process")
def test_an_interruption_leaves_it_running_and_the_next_run_follows_it(
    azure: AzureDouble, project: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "remora", "provision", str(project), "--yes", "--json"]
    command += ["--resource-group", GROUP]
    environment = {**os.environ, **variables(azure, tmp_path)}

    def hold(*_: object) -> None:
        """The deployment stops after its first resource."""
        azure.state.watchers.remove(hold)
        azure.pause()

    azure.state.watchers.append(hold)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "portal":
                process.send_signal(signal.SIGINT)
                break
        rest = [json.loads(line)["event"] for line in process.stdout]
        assert process.wait() == 130
    assert rest[-1] == "left_running"
    assert not (project / "infra" / "inference.config.json").exists()
    azure.resume()
    again = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert (project / "infra" / "inference.config.json").exists()
