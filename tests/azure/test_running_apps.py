"""The double's container apps run as they do in Azure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.azure.double.runtime import sandbox
from tests.azure.double.sdk import clients, invented
from tests.azure.double.seed import SERVERLESS, fine_tuning
from tests.azure.double.server import AzureDouble
from tests.azure.running_apps import GROUP, NAMES, Azure, body, until

REASON = sandbox.unavailable()
pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Azure]:
    with AzureDouble(tmp_path / "azure", runs_apps=True) as double:
        double.state.group(GROUP)
        fine_tuning(double.state, GROUP, NAMES, SERVERLESS)
        with clients(double) as made:
            found = Azure(double, made)
            found.mount_storage()
            with found.http:
                yield found
        assert not double.violations
    running = psutil.Process().children(recursive=True)
    assert "unshare" not in {process.name() for process in running}


def test_an_app_answers_at_its_address(azure: Azure) -> None:
    (azure.share / "go").touch()
    url = azure.put("app")
    seen = azure.http.get(url).json()
    assert seen["files"] == ["go"]
    assert not seen["writable"]
    environ = seen["environ"]
    assert (environ["KEY"], environ["PLAIN"]) == ("hush", "text")
    replica = azure.replicas("app")[0]
    assert environ["CONTAINER_APP_NAME"] == "app"
    assert environ["CONTAINER_APP_REPLICA_NAME"] == replica.name
    assert environ["CONTAINER_APP_REVISION"] == azure.revision("app").name
    assert environ["CONTAINER_APP_ENV_DNS_SUFFIX"].endswith("azurecontainerapps.io")
    assert replica.properties.containers[0].ready
    assert invented(replica) == invented(azure.revision("app")) == []
    assert azure.http.cookies["acaAffinity"] == replica.name
    assert azure.http.post(url, content=b"words, ").text == "words, end"
    azure.clients.apps.container_apps.begin_delete(GROUP, "app").result()
    until(lambda: not azure.answers(url))


def test_answers_are_streamed_until_the_client_leaves(azure: Azure) -> None:
    (azure.share / "go").touch()
    url = azure.put("app")
    with azure.http.stream("GET", f"{url}/stream") as answer:
        assert next(answer.iter_text()).startswith("more")
    logs = azure.containers("app")[0].log_stream_endpoint
    until(lambda: azure.stream("app", f"{logs}?output=text")[-1].endswith(" left"))


def test_an_internal_app_is_reached_from_its_environment_alone(azure: Azure) -> None:
    (azure.share / "go").touch()
    inner = azure.put("inner", external=False)
    outer = azure.put("outer", external=True)
    assert azure.http.get(f"{inner}/who").status_code == 404
    seen = azure.http.get(f"{outer}/ask/{inner.rpartition(':')[2]}").json()
    assert seen["environ"]["CONTAINER_APP_NAME"] == "inner"


def test_addresses_that_are_not_allowed_are_turned_away(azure: Azure) -> None:
    (azure.share / "go").touch()
    rule = {"name": "office", "action": "Allow", "ipAddressRange": "203.0.113.0/24"}
    assert azure.http.get(azure.put("app", rules=[rule])).status_code == 403
    rule["ipAddressRange"] = "127.0.0.0/8"
    assert azure.http.get(azure.put("app", rules=[rule])).status_code == 200


def test_more_requests_start_more_replicas_and_cookies_keep_to_one(azure: Azure) -> None:
    (azure.share / "go").touch()
    rule = {"name": "http", "http": {"metadata": {"concurrentRequests": "1"}}}
    url = azure.put("app", scale={"minReplicas": 0, "maxReplicas": 2, "rules": [rule]})
    azure.http.get(url)
    mine = azure.http.cookies["acaAffinity"]
    with ThreadPoolExecutor() as pool:
        slow = [pool.submit(azure.http.get, f"{url}/slow") for _ in range(2)]
        until(lambda: [c.ready for c in azure.containers("app")] == [True, True])
        (azure.share / "done").touch()
        names = {answer.result().json()["environ"]["HOSTNAME"] for answer in slow}
    assert names == {mine}
    azure.http.cookies.clear()
    seen: set[str] = set()
    while len(seen) < 2:
        seen.add(azure.http.get(url).json()["environ"]["HOSTNAME"])
        azure.http.cookies.clear()


def test_an_app_sleeps_and_wakes(azure: Azure) -> None:
    (azure.share / "go").touch()
    azure.double.settings.speed = 1000
    url = azure.put("app", scale={"cooldownPeriod": 100})
    first = azure.http.get(url).json()["environ"]["HOSTNAME"]
    until(lambda: not azure.replicas("app"))
    assert azure.revision("app").properties.running_state == "Running"
    azure.double.settings.speed = 1
    second = azure.http.get(url).json()["environ"]["HOSTNAME"]
    assert second != first
    assert [replica.name for replica in azure.replicas("app")] == [second]


def test_a_request_waits_for_a_ready_replica_up_to_the_limit(azure: Azure) -> None:
    azure.double.settings.request_limit = 0.5
    url = azure.put("app")
    answer = azure.http.get(url)
    assert (answer.status_code, answer.text) == (504, "stream timeout")
    azure.double.settings.request_limit = 30
    until(lambda: "Running" in {c.running_state for c in azure.containers("app")})
    assert not azure.containers("app")[0].ready
    (azure.share / "go").touch()
    assert azure.http.get(url).status_code == 200


def test_an_ingress_that_holds_nothing_wakes_a_replica_all_the_same(azure: Azure) -> None:
    (azure.share / "go").touch()
    azure.double.settings.holds_requests = False
    azure.double.settings.speed = 1000
    url = azure.put("app", scale={"cooldownPeriod": 100})
    until(lambda: "RevisionReady" in azure.reasons("app"))
    until(lambda: not azure.replicas("app"))
    azure.double.settings.speed = 10
    answer = azure.http.get(url)
    assert (answer.status_code, answer.text) == (503, "no healthy upstream")
    until(lambda: azure.answers(url))


def test_a_new_revision_replaces_the_old_when_it_is_ready(azure: Azure) -> None:
    (azure.share / "go").touch()
    url = azure.put("app", suffix="one", scale={"minReplicas": 1})
    old = azure.http.get(url).json()["environ"]["CONTAINER_APP_REVISION"]
    (azure.share / "go").unlink()
    azure.put("app", suffix="two", scale={"minReplicas": 1})
    (azure.share / "go").touch()
    revisions = azure.clients.apps.container_apps_revisions
    until(lambda: not revisions.get_revision(GROUP, "app", old).properties.active)
    assert azure.http.get(url).json()["environ"]["CONTAINER_APP_REVISION"] == "app--two"


def test_with_a_single_gpu_a_new_revision_waits_and_a_restart_does_not(azure: Azure) -> None:
    (azure.share / "go").touch()
    scale = {"minReplicas": 1, "cooldownPeriod": 3600}
    url = azure.put("app", suffix="one", gpu=True, scale=scale)
    first = azure.http.get(url).json()["environ"]["HOSTNAME"]
    azure.clients.apps.container_apps_revisions.restart_revision(GROUP, "app", "app--one")
    until(lambda: [c.ready for c in azure.containers("app")] == [True])
    assert azure.http.get(url).json()["environ"]["HOSTNAME"] != first
    azure.put("app", suffix="two", gpu=True, scale=scale)
    until(lambda: azure.replicas("app"))
    assert azure.containers("app")[0].running_state == "Waiting"
    assert azure.http.get(url).json()["environ"]["CONTAINER_APP_REVISION"] == "app--one"
    azure.double.state.gpu_quota["Consumption-GPU-NC24-A100"] = 2
    until(lambda: [c.ready for c in azure.containers("app")] == [True])


def test_logs_are_streamed_and_break_off(azure: Azure) -> None:
    (azure.share / "go").touch()
    azure.double.settings.stream_life = 0.3
    url = azure.put("app")
    azure.http.get(url)
    container = azure.containers("app")[0]
    lines = azure.stream("app", f"{container.log_stream_endpoint}?output=text&tailLines=300")
    assert lines[-1].endswith(" serving")
    azure.http.headers["Authorization"] = (
        f"Bearer {azure.clients.apps.container_apps.get_auth_token(GROUP, 'app').properties.token}"
    )
    followed = azure.follow(container.log_stream_endpoint)
    assert json.loads(followed[-1])["Log"] == "serving"
    assert azure.http.get(container.log_stream_endpoint, headers={"Authorization": ""}).is_error
    assert {"AssigningReplica", "PulledImage", "ContainerStarted"} <= set(azure.reasons("app"))


@pytest.mark.parametrize(
    ("fault", "reason", "details"),
    [
        ("stuck_assigning", None, ""),
        ("image_missing", "ImagePullFailure", "ImagePullBackOff"),
        ("mount_fails", "VolumeMountFailure", "ContainerCreating"),
    ],
)
def test_a_replica_does_not_get_to_run(
    azure: Azure, fault: str, reason: str | None, details: str
) -> None:
    (azure.share / "go").touch()
    getattr(azure.double.settings.faults, fault).add("app")
    url = azure.put("app")
    if reason is not None:
        until(lambda: reason in azure.reasons("app"))
    container = until(lambda: azure.containers("app"))[0]
    assert (container.running_state, container.running_state_details) == ("Waiting", details)
    assert azure.revision("app").properties.running_state == "Processing"
    getattr(azure.double.settings.faults, fault).clear()
    assert azure.http.get(url).status_code == 200


def test_a_share_is_not_mounted_with_a_key_that_was_renewed(azure: Azure) -> None:
    (azure.share / "go").touch()
    url = azure.put("app", scale={"minReplicas": 1})
    assert azure.http.get(url).status_code == 200
    accounts = azure.clients.storage.storage_accounts
    accounts.regenerate_key(GROUP, NAMES.account, {"keyName": "key1"})
    azure.clients.apps.container_apps_revisions.restart_revision(
        GROUP, "app", azure.revision("app").name
    )
    until(lambda: "VolumeMountFailure" in azure.reasons("app"))
    azure.mount_storage()
    assert azure.http.get(url).status_code == 200


def test_a_container_that_ends_again_and_again(azure: Azure) -> None:
    azure.put("app", command=["sh", "-c", "echo no model >&2; exit 3"])
    until(lambda: "ContainerBackOff" in azure.reasons("app"))
    container = azure.containers("app")[0]
    assert container.restart_count > 1
    until(lambda: azure.revision("app").properties.running_state == "Degraded")
    lines = azure.stream("app", f"{container.log_stream_endpoint}?output=text")
    assert lines[-1].endswith(" no model")


def test_a_container_runs_out_of_memory_and_is_started_anew(azure: Azure) -> None:
    (azure.share / "go").touch()
    url = azure.put("app")
    azure.http.get(url)
    azure.double.kill("app")
    until(lambda: azure.containers("app")[0].restart_count == 1)
    assert azure.http.get(url).status_code == 200
    events = azure.clients.apps.container_apps.get(GROUP, "app").properties.event_stream_endpoint
    assert any("OOMKilled" in line for line in azure.stream("app", f"{events}?tailLines=300"))


def test_a_start_up_probe_that_fails_too_long_ends_the_container(azure: Azure) -> None:
    probe = {"httpGet": {"path": "/", "port": 1}, "periodSeconds": 1, "failureThreshold": 2}
    azure.put("app", probes=[{"type": "Startup", **probe}])
    until(lambda: azure.containers("app") and azure.containers("app")[0].restart_count)
    assert "ProbeFailed" in azure.reasons("app")


def test_an_app_on_paper_does_not_listen(tmp_path: Path) -> None:
    with AzureDouble(tmp_path / "azure") as double, clients(double) as made:
        double.state.group(GROUP)
        fine_tuning(double.state, GROUP, NAMES, SERVERLESS)
        app = made.apps.container_apps.begin_create_or_update(
            GROUP, "app", body(mode="rw")
        ).result()
        assert app.properties.configuration.ingress.fqdn.endswith(".azurecontainerapps.io")
