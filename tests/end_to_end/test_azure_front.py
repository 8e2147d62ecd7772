"""What the front of a deployment on Azure holds out: new keys, and its own end, under load."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.end_to_end.azure_asking import Load, ask, question, until
from tests.end_to_end.azure_cloud import RUNS_ON, Cloud, cloud, sleeper

pytestmark = RUNS_ON
LONG = question("json", stream=True) | {"max_tokens": 900, "ignore_eos": True}
TOKENS = 'remora_generated_tokens_total{model="json"}'


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder: Path = tmp_path_factory.mktemp("front")
    with cloud(folder / "cloud", sleeper(folder / "project").folder) as found:
        found.url = found.provision_and_deploy()
        yield found


@pytest.fixture
def client(azure: Cloud) -> Iterator[httpx.Client]:
    with azure.client(azure.url) as found:
        yield found


def exchange(azure: Cloud, client: httpx.Client, *, awake: bool) -> None:
    """Exchange the key while clients ask with the old one, then with both, then with the new."""
    old = azure.keys["api"]
    with Load(client, [old] if awake else []) as load:
        new = azure.run("secret", "rotate").named("api_key")["key"]
        assert awake or not azure.replicas()
    assert not load.failed
    with Load(client, [old, new]) as both:
        both.until_answered(16)
    assert not both.failed
    with Load(client, [new]) as load:
        azure.run("secret", "retire")
        load.until_answered()
    assert not load.failed
    headers = {"Authorization": f"Bearer {old}"}
    refused = client.post("/v1/chat/completions", json=question("tone"), headers=headers)
    assert refused.status_code == 401
    azure.keys["api"] = new


def test_keys_are_exchanged_under_load(azure: Cloud, client: httpx.Client) -> None:
    ask(client)
    server, _ = azure.apps
    before = azure.double.replicas(server)
    exchange(azure, client, awake=True)
    assert azure.double.replicas(server) == before


def test_keys_are_exchanged_while_the_server_sleeps(azure: Cloud, client: httpx.Client) -> None:
    until(lambda: not azure.replicas())
    exchange(azure, client, awake=False)


def test_a_key_is_exchanged_while_requests_wait_for_the_server(
    azure: Cloud, client: httpx.Client
) -> None:
    until(lambda: not azure.replicas())
    server, _ = azure.apps
    azure.double.settings.faults.stuck_assigning.add(server)
    with Load(client) as load:
        until(lambda: azure.replicas() > 0)
        rotated = azure.run("secret", "rotate").named("api_key")["key"]
        azure.double.settings.faults.stuck_assigning.clear()
        load.until_answered()
    assert not load.failed
    azure.keys["api"] = rotated


def test_looking_does_not_keep_the_server_awake(
    azure: Cloud, client: httpx.Client, tmp_path: Path
) -> None:
    config = Path("infra", "inference.config.json")
    (tmp_path / "infra").mkdir()
    (tmp_path / config).write_bytes((azure.project / config).read_bytes())
    elsewhere = replace(azure, project=tmp_path)
    ask(client)
    awake = elsewhere.run("status")
    status = awake.named("status")
    assert (status["life"], status["front"]["presence"]) == ("running", "awake")
    assert status["since"]
    models = client.get("/v1/models").json()
    assert status["report"]["served"]["release"] == models["release"]
    told = {one["name"]: one["digest"] for one in status["report"]["models"]}
    assert told == {one["id"]: one["digest"] for one in models["data"]}
    until(lambda: elsewhere.run("status").named("status")["life"] == "asleep")
    asleep = elsewhere.run("status")
    assert asleep.named("status")["report"] is None
    costs = [ran.named("resources")["cost_per_hour"] for ran in (awake, asleep)]
    assert costs[0] > costs[1] > 0


def test_a_front_that_is_moved_under_load_is_not_missed(azure: Cloud, client: httpx.Client) -> None:
    ask(client)
    _, front = azure.apps
    before = azure.double.replicas(front)
    with Load(client) as load, Load(client, count=2, max_tokens=500, ignore_eos=True) as long:
        load.until_answered()
        azure.double.move(front)
        until(lambda: not before & azure.double.replicas(front))
        load.until_answered()
        long.until_answered(2)
    assert not load.failed + long.failed
    assert client.get("/status").json()["presence"] == "awake"


def test_a_front_that_is_killed_under_load_is_replaced(azure: Cloud, client: httpx.Client) -> None:
    ask(client)
    _, front = azure.apps
    before = azure.server_metrics().get(TOKENS, 0)
    with client.stream("POST", "/v1/chat/completions", json=LONG) as long:
        lines = long.iter_lines()
        next(lines)
        with Load(client) as load:
            load.until_answered()
            azure.double.kill(front)
            with pytest.raises(httpx.RemoteProtocolError):
                list(lines)
            answered = load.answers
            until(lambda: load.answers > answered + 8)
    assert all("RemoteProtocolError" in one or "connection failure" in one for one in load.failed)
    assert len(load.failed) <= 4  # those that were under way
    until(lambda: not azure.server_metrics()["remora_running_requests"])
    assert azure.server_metrics().get(TOKENS, 0) - before < LONG["max_tokens"]
    assert client.get("/status").json()["presence"] == "awake"
