"""The demo as a project of its own, and the command line as a user runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from tests.end_to_end.conftest import DEMO

REMORA = [sys.executable, "-m", "remora"]
SECONDS = 100


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    events: list[dict[str, Any]]
    err: str

    def named(self, name: str) -> dict[str, Any]:
        return next(event for event in self.events if event["event"] == name)

    @property
    def error(self) -> str:
        return str(self.named("error")["message"])


@dataclass(frozen=True)
class Workspace:
    """A project's folder and its commands."""

    folder: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*REMORA, *arguments],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def run(self, *arguments: str) -> Ran:
        return finish(self.start(*arguments, "--json"))

    def deploy(self) -> Ran:
        ran = self.run("deploy")
        assert ran.code == 0, (ran.events, ran.err, self.log())
        return ran

    def status(self) -> dict[str, Any]:
        ran = self.run("status")
        assert ran.code == 0, (ran.events, ran.err, self.log())
        return ran.events[0]

    def log(self) -> str:
        file = self.folder / ".remora" / "local" / "server.log"
        return file.read_text(encoding="utf-8")[-3000:] if file.exists() else ""

    def train(self, name: str, scale: float) -> None:
        """Give an adapter other weights: those of the demo, scaled."""
        weights = load_file(DEMO / "adapters" / name / "adapter_model.safetensors")
        scaled = {key: value * scale for key, value in weights.items()}
        save_file(scaled, self.folder / "adapters" / name / "adapter_model.safetensors")

    def widen(self, name: str) -> None:
        """Give an adapter the shapes that it would have for a base of twice the width."""
        file = self.folder / "adapters" / name / "adapter_model.safetensors"
        doubled = {
            key: value.repeat(1, 2) if "lora_A" in key else value.repeat(2, 1)
            for key, value in load_file(file).items()
        }
        save_file(doubled, file)

    def set_engine(self, line: str) -> None:
        """Set what the table [engine] says."""
        text = (DEMO / "remora.toml").read_text(encoding="utf-8")
        text += f"\n[server]\nport = 0\n[engine]\n{line}\n"
        (self.folder / "remora.toml").write_text(text, encoding="utf-8")


def workspace(folder: Path) -> Workspace:
    """A copy of the demo with a port of its own."""
    for name in ("base", "adapters"):
        shutil.copytree(DEMO / name, folder / name)
    made = Workspace(folder)
    made.set_engine("threads = 1")
    return made


def finish(process: subprocess.Popen[str]) -> Ran:
    out, err = process.communicate(timeout=SECONDS)
    return Ran(process.returncode, [json.loads(line) for line in out.splitlines()], err)
