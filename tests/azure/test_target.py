"""What a deployment sees of apps that really run, and that don't come up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from remora.azure import phases
from remora.azure.app import renew
from remora.azure.config_file import InferenceConfig
from remora.errors import TargetError
from remora.targets.azure import AzureTarget
from remora.targets.target import Life, TargetState
from tests.azure.double.runtime import sandbox
from tests.azure.double.sdk import clients
from tests.azure.double.seed import SERVERLESS, fine_tuning
from tests.azure.double.server import AzureDouble
from tests.azure.double.state import SUBSCRIPTION
from tests.azure.running_apps import GROUP, NAMES, Azure
from tests.azure.signed_in import sign_in

REASON = sandbox.unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))
APP = "gpu-app"
COUNTING = ["python3", "-u", "-c", "import time\nfor n in range(9**9): print(n); time.sleep(0.01)"]
LOADING = ["python3", "-u", "-c", """
import http.server
print('{"event": "phase", "phase": "read", "seconds": null}')
http.server.HTTPServer(("0.0.0.0", 7860), http.server.BaseHTTPRequestHandler).serve_forever()
"""]  # fmt: skip
RUNS = {"minReplicas": 1}


@pytest.fixture
def azure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    monkeypatch.setattr(phases, "GRACE", 0.0)
    with AzureDouble(tmp_path / "azure", runs_apps=True) as double:
        double.state.group(GROUP)
        fine_tuning(double.state, GROUP, NAMES, SERVERLESS)
        sign_in(double, tmp_path, monkeypatch)
        with clients(double) as made:
            found = Azure(double, made)
            found.mount_storage()
            with found.http:
                yield found
        assert not double.violations


@pytest.fixture
def target(azure: Azure) -> Iterator[AzureTarget]:
    config = InferenceConfig(
        subscription_id=SUBSCRIPTION,
        resource_group_name=GROUP,
        storage_account_name=NAMES.account,
        file_share_name=NAMES.share,
        aca_app_name=APP,
        aca_app_endpoint="127.0.0.1:1",
    )
    with closing(AzureTarget(config)) as made:
        yield made


def until(target: AzureTarget, wanted: Callable[[TargetState], bool]) -> TargetState:
    """The first state that is wanted."""
    end = time.monotonic() + 30
    while not wanted(state := target.state()):
        assert time.monotonic() < end, state
        time.sleep(0.02)
    return state


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("image_missing", "the image can't be pulled"),
        ("mount_fails", "the share can't be mounted"),
    ],
)
def test_what_keeps_an_app_from_starting_is_explained(
    azure: Azure, target: AzureTarget, fault: str, reason: str
) -> None:
    getattr(azure.double.settings.faults, fault).add(APP)
    azure.put(APP, scale=RUNS)
    state = until(target, lambda state: state.life is Life.FAILED)
    assert reason in state.detail
    assert state.hint


def test_a_container_that_ends_again_and_again_is_explained(
    azure: Azure, target: AzureTarget
) -> None:
    azure.put(APP, command=["python3", "-c", "raise SystemExit(3)"], scale=RUNS)
    state = until(target, lambda state: state.life is Life.FAILED)
    assert "ends again and again" in state.detail
    assert state.restarts


def test_a_container_without_memory_is_explained(azure: Azure, target: AzureTarget) -> None:
    azure.put(APP, scale=RUNS, probes=[])
    until(target, lambda state: state.life is Life.RUNNING)
    azure.double.kill(APP)
    assert "out of memory" in until(target, lambda state: state.life is Life.FAILED).detail


def test_an_app_that_no_gpu_is_found_for_is_waited_for(azure: Azure, target: AzureTarget) -> None:
    azure.double.settings.faults.stuck_assigning.add(APP)
    azure.put(APP, scale=RUNS)
    state = until(target, lambda state: state.life is not Life.ASLEEP)
    assert (state.life, state.phase) == (Life.WAITING, "scheduling")
    azure.double.settings.faults.stuck_assigning.clear()
    until(target, lambda state: state.phase != "scheduling")


def test_a_container_that_is_ready_tells_how_far_its_server_is(
    azure: Azure, target: AzureTarget
) -> None:
    azure.put(APP, command=LOADING, scale=RUNS, probes=[])
    until(target, lambda state: (state.life, state.phase) == (Life.RUNNING, "loading"))


def test_a_gpu_that_is_not_found_in_time_is_explained(
    azure: Azure, target: AzureTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, failure = phases._LIMITS[phases.Phase.SCHEDULING]
    monkeypatch.setitem(phases._LIMITS, phases.Phase.SCHEDULING, (0.0, failure))
    azure.double.settings.faults.stuck_assigning.add(APP)
    azure.put(APP, scale=RUNS)
    state = until(target, lambda state: state.life is Life.FAILED)
    assert "has assigned no GPU" in state.detail
    assert "--gpu" in (state.hint or "")


def test_a_new_revision_takes_over_without_a_pause(azure: Azure, target: AzureTarget) -> None:
    (azure.share / "go").touch()
    url = azure.put(APP, scale=RUNS)
    azure.http.get(url).raise_for_status()
    before = target.app()
    renew(target.clients, before)
    revisions = azure.clients.apps.container_apps_revisions
    while revisions.get_revision(GROUP, APP, before.revision).properties.active:
        azure.http.get(url).raise_for_status()
    assert azure.http.get(url).json()["environ"]["CONTAINER_APP_REVISION"] != before.revision


def test_an_app_without_replicas_sleeps(azure: Azure, target: AzureTarget) -> None:
    azure.put(APP, probes=[])
    until(target, lambda state: state.life is Life.ASLEEP)


def test_a_log_goes_on_over_broken_streams(azure: Azure, target: AzureTarget) -> None:
    azure.double.settings.stream_life = 0.3
    azure.put(APP, command=COUNTING, scale=RUNS, probes=[])
    until(target, lambda state: state.life is not Life.ASLEEP)
    numbers = (int(line) for line in target.logs(follow=True) if line.isdigit())
    found = list(islice(numbers, 150))
    assert found == list(range(found[0], found[0] + 150))


def test_an_app_with_commands_of_its_own_is_told(azure: Azure, target: AzureTarget) -> None:
    azure.put(APP)
    assert not target.runs_remora
    assert target.report() is None
    with pytest.raises(TargetError, match="runs commands of its own"):
        target.push()
