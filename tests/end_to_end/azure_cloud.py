"""Azure on this machine for the command line: a double whose container apps run, and a sign-in."""

from __future__ import annotations

import json
import os
import platform
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from remora.azure.unique_string import name_suffix
from remora.container.runtime_archive import requirements_of
from remora.release.manifest import Role
from tests.azure.double.container_apps import APPS, REVISIONS
from tests.azure.double.runtime import sandbox
from tests.azure.double.seed import SERVERLESS, Names, fine_tuning
from tests.azure.double.server import AzureDouble
from tests.azure.double.state import SUBSCRIPTION
from tests.azure.signed_in import variables
from tests.container.wheelhouse import lines_of, make_wheels
from tests.end_to_end.deploying import REMORA, Ran, Workspace, workspace

GROUP = "team"
SECONDS = 240
SPEED = 10  # times faster than Azure: start-up probes, back-off and cooldown (300 s)
COOLDOWN = 15  # s without a request until the server sleeps
REASON = sandbox.unavailable()
RUNS_ON = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
    pytest.mark.skipif(
        platform.machine() != "x86_64" or sys.platform != "linux",
        reason="containers on Azure are Linux on x86-64",
    ),
]


@dataclass
class Cloud:
    """A subscription in which a model was fine-tuned, and the commands of a project."""

    double: AzureDouble
    project: Path
    variables: dict[str, str]
    names: Names
    keys: dict[str, str] = field(default_factory=dict)
    url: str = ""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*REMORA, *arguments],
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | self.variables,
        )

    def run(self, *arguments: str, code: int = 0) -> Ran:
        """What a command says as events; fails unless it ends with this exit code."""
        process = self.start(*arguments, "--json")
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
        ran = Ran(process.returncode, [json.loads(line) for line in out.splitlines()], err)
        assert ran.code == code, (ran.events[-30:], ran.err)
        return ran

    def client(self, url: str) -> httpx.Client:
        """A client of the endpoint that has its key, if there is one."""
        trust = ssl.create_default_context(cafile=self.double.certificate)
        headers = {"Authorization": f"Bearer {self.keys.get('api', 'none')}"}
        return httpx.Client(base_url=url, verify=trust, headers=headers, timeout=120)

    def calls(self) -> tuple[int, int]:
        """How often Resource Manager and the share were asked so far."""
        return len(self.double.requests), len(self.double.files.calls)

    def replicas(self) -> int:
        """Those that the server's app has now; nobody is asked, and so nobody woken."""
        return sum(
            one.properties["replicas"]
            for one in self.double.state.of_type(REVISIONS)
            if one.properties["active"] and "-front" not in one.id.names[0]
        )

    @property
    def apps(self) -> tuple[str, str]:
        """The names of the app with the GPU and of the front."""
        front, server = sorted(
            (one.id.name for one in self.double.state.of_type(APPS)), key=len, reverse=True
        )
        return server, front

    def provision_and_deploy(self) -> str:
        """Until the endpoint answers; returns its address."""
        made = self.run(
            "provision", "--subscription", SUBSCRIPTION, "--resource-group", GROUP, "--yes"
        )
        self.keys["api"] = made.named("api_key")["key"]
        return str(self.run("deploy").named("endpoint")["url"])

    def server_metrics(self) -> dict[str, float]:
        """What the app with the GPU counts; it is asked from inside, so that it may fall asleep."""
        server, _ = self.apps
        app = next(one for one in self.double.state.of_type(APPS) if one.id.name == server)
        secrets = app.properties["configuration"]["secrets"]
        key = next(one["value"] for one in secrets if one["name"] == "admin-key")
        status, text = self.double.ask(server, "/metrics", key)
        assert status == 200, text
        lines = (line for line in text.decode().splitlines() if not line.startswith("#"))
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    def resources(self) -> dict[str, Any]:
        """All that there is in the group, as it is."""
        found = self.double.state.resources.values()
        return {one.id.key: json.loads(json.dumps(one.body)) for one in found}


@contextmanager
def cloud(folder: Path, project: Path, *, latency: float = 0) -> Iterator[Cloud]:
    """The group holds what fine-tuning leaves there; each call takes ``latency`` seconds more."""
    with AzureDouble(folder / "azure", latency=latency, runs_apps=True) as double:
        double.settings.speed = SPEED
        group = double.state.group(GROUP)
        names = Names.with_suffix(name_suffix(group.id))
        fine_tuning(double.state, GROUP, names, SERVERLESS)
        packages = _packages(folder / "wheels")
        environment = {**variables(double, folder), **packages, "OMP_NUM_THREADS": "1"}
        yield Cloud(double, project, environment, names)
        assert not double.violations


def _packages(folder: Path) -> dict[str, str]:
    """What pip takes packages from: nothing but the wheels of what is installed here."""
    files = [file for role in Role for file in requirements_of(role)]
    make_wheels(lines_of(*files), folder)
    return {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_CONFIG_FILE": os.devnull,
    }


def container_section() -> str:
    """The table [container] for an image with the Python of this machine."""
    return f'[container]\npython = "{sys.version_info[0]}.{sys.version_info[1]}"\n'


def sleeper(folder: Path) -> Workspace:
    """The demo as a project whose server sleeps soon, for an image with this machine's Python."""
    made = workspace(folder)
    file = made.folder / "remora.toml"
    file.write_text(file.read_text(encoding="utf-8") + container_section(), encoding="utf-8")
    set_parameters(made.folder, {"cooldownSeconds": COOLDOWN * SPEED})
    return made


def set_parameters(project: Path, values: dict[str, Any]) -> None:
    """Write the file that says what to provision."""
    file = project / "infra" / "provision" / "inference.parameters.json"
    file.parent.mkdir(parents=True)
    parameters = {name: {"value": value} for name, value in values.items()}
    file.write_text(json.dumps({"parameters": parameters}), encoding="utf-8")
