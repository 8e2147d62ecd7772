from __future__ import annotations

import re
import socket
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from bootstrap import ROOT

from remora.cli import health
from remora.cli.health import GIB, Health
from remora.errors import AzureSignIn
from tests.cli.conftest import Remora

FACTS: dict[str, Any] = {
    "version": "2.13.0",
    "threads": 2,
    "cpu": "AVX512",
    "bf16": True,
    "built_for_cuda": None,
    "gpus": [],
}


@pytest.fixture(autouse=True)
def _signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real check would look for an identity in the network."""
    monkeypatch.setattr(health, "azure_sign_in", lambda: None)


def test_this_machine_can_serve(remora: Remora) -> None:
    ran = remora("doctor", "--port", "0", "--json")
    names = [event["name"] for event in ran.events]
    assert names == ["python", "packages", "memory", "disk", "port", "torch", "cpu", "gpu", "azure"]
    assert {event["event"] for event in ran.events} == {"check"}
    assert ran.code == int(any(event["health"] == "fail" for event in ran.events))


def test_a_failed_check_is_told_and_is_the_exit_code(
    remora: Remora, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "torch_facts", lambda: {"error": "no such file"})
    ran = remora("doctor", "--port", "0")
    assert ran.code == 1
    assert "fail torch     can't be imported: no such file" in ran.out
    assert "pip install 'remora-serve[serve]'" in ran.out
    assert "gpu" not in ran.out


def test_a_broken_installation_of_torch_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TORCH_PROBE", "raise ImportError('libc is too old')")
    assert health.torch_facts() == {"error": "ImportError: libc is too old"}
    monkeypatch.setattr(health, "TORCH_PROBE", "import os; os._exit(7)")
    assert health.torch_facts() == {"error": "exit code 7"}
    monkeypatch.setattr(sys, "executable", "no-such-python")
    assert "no-such-python" in health.torch_facts()["error"]


@pytest.mark.parametrize(
    ("check", "health", "words"),
    [
        (health.check_python((3, 10, 1)), Health.FAIL, "3.10.1"),
        (health.check_python((3, 13, 0)), Health.OK, "3.13.0"),
        (health.check_packages(["torch", "jinja2"]), Health.FAIL, "missing: torch, jinja2"),
        (health.check_memory(None), Health.OK, "not told"),
        (health.check_memory((8 * GIB, GIB // 2)), Health.FAIL, "0.5 of 8.0 GiB"),
        (health.check_memory((8 * GIB, 2 * GIB)), Health.WARN, "2.0 of 8.0 GiB"),
        (health.check_memory((8 * GIB, 6 * GIB)), Health.OK, "6.0 of 8.0 GiB"),
        (health.check_cpu(FACTS), Health.OK, "AVX512 with bfloat16"),
        (health.check_cpu(FACTS | {"bf16": False}), Health.WARN, "without bfloat16"),
        (health.check_gpu(FACTS, nvidia=False), Health.OK, "the CPU serves"),
        (health.check_gpu(FACTS, nvidia=True), Health.WARN, "built for CUDA: no"),
        (health.check_gpu(FACTS | {"gpus": ["H100"]}, nvidia=True), Health.OK, "H100"),
        (health.check_azure(None), Health.OK, "signed in"),
        (health.check_azure(AzureSignIn("no az", hint="az login")), Health.WARN, "no az"),
    ],
)
def test_how_facts_are_judged(check: health.Check, health: Health, words: str) -> None:
    assert check.health is health
    assert words in check.detail
    assert (check.hint is None) == (health is Health.OK)


def test_the_packages_looked_for_are_those_of_the_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [
        re.split("[>=<]", requirement)[0].replace("-", "_")
        for requirement in extras["optional-dependencies"]["serve"]
        if ";" not in requirement
    ]
    assert needed == list(health.SERVE_MODULES)


def test_a_port_that_is_taken_is_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        check = health.check_port("127.0.0.1", server.getsockname()[1])
    assert check.health is Health.WARN
    assert "--port" in str(check.hint)
    assert health.check_port("127.0.0.1", 0).health is Health.OK
    assert health.check_port("127.0.0.1", 70000).health is Health.WARN


def test_memory_and_disk_of_this_machine(tmp_path: Path) -> None:
    found = health.memory()
    assert found is None or 0 < found[1] <= found[0]
    assert str(tmp_path) in health.check_disk(tmp_path).detail
