"""The project's own virtual environment, made when it is missing and renewed when it is stale.

Standard library only, any platform. `REMORA_VENV` names another folder than `.venv`.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
TORCH = "torch==2.13.0"
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OLDEST = (3, 11)


def environment(variables: Mapping[str, str]) -> Path:
    """The folder of the virtual environment."""
    return Path(variables.get("REMORA_VENV") or ROOT / ".venv").absolute()


def executable(folder: Path, name: str, *, platform: str = sys.platform) -> Path:
    """The path of a program in a virtual environment."""
    if platform == "win32":
        return folder / "Scripts" / f"{name}.exe"
    return folder / "bin" / name


def digest(pyproject: Mapping[str, Any], extra: str, python: str) -> str:
    """Changes whenever what is to be installed does, and not with the linters' settings."""
    project = pyproject["project"]
    relevant = {
        "build": pyproject["build-system"],
        "project": {key: value for key, value in project.items() if key != "description"},
        "extra": extra,
        "python": python,
        "torch": TORCH,
    }
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()


def torch_sources(*, find_links: bool, platform: str, nvidia: bool) -> list[list[str]]:
    """Arguments for pip that say where torch comes from, the best first.

    PyPI's build for Linux carries 3 GB of CUDA libraries. A machine without an NVIDIA driver
    takes PyTorch's CPU build, unless its pip is configured with a folder of own wheels.
    """
    if not find_links and not nvidia and platform in {"linux", "win32"}:
        return [["--index-url", TORCH_CPU_INDEX, "--retries", "1", "--timeout", "15"], []]
    return [[]]


def has_find_links(variables: Mapping[str, str], pip_config: str) -> bool:
    """Whether pip is configured with a folder of wheels; `pip_config` is `pip config list`."""
    return bool(variables.get("PIP_FIND_LINKS")) or "find-links=" in pip_config


def ensure(extra: str) -> Path:
    """Make or renew the environment with the project and its `extra`; returns the folder."""
    if sys.version_info < OLDEST:
        here = ".".join(str(part) for part in sys.version_info[:3])
        stop(f"Remora needs Python 3.11 or later; this is {here}. Run this with a later one.")
    import tomllib

    folder = environment(os.environ)
    python = executable(folder, "python")
    if not python.exists():
        say(f"Making a virtual environment in {folder}")
        create(folder)
    version = output([str(python), "-c", "import sys; print(sys.version)"])
    wanted = digest(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8")), extra, version)
    stamp = folder / f"remora-{extra}.sha256"
    if not stamp.exists() or stamp.read_text("utf-8") != wanted:
        install(python, extra)
        stamp.write_text(wanted, "utf-8")
    return folder


def create(folder: Path) -> None:
    """Make a virtual environment with pip in it."""
    try:
        venv.create(folder, with_pip=True)
    except subprocess.CalledProcessError:
        shutil.rmtree(folder, ignore_errors=True)
        stop(
            "This Python can't make virtual environments."
            " On Debian and Ubuntu: `sudo apt install python3-venv`."
        )


def install(python: Path, extra: str) -> None:
    """Install torch from where it suits this machine, then the project with its extra."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    sources = torch_sources(
        find_links=has_find_links(os.environ, output([*pip, "config", "list"])),
        platform=sys.platform,
        nvidia=shutil.which("nvidia-smi") is not None,
    )
    for number, source in enumerate(sources, start=1):
        say(f"Installing {TORCH} {' '.join(source[:2])}".rstrip())
        if subprocess.call([*pip, "install", *source, TORCH]) == 0:
            break
        if number == len(sources):
            stop("torch could not be installed; pip says why above.")
        say("That did not work; trying the default package index.")
    say(f"Installing Remora with its extra '{extra}'")
    if subprocess.call([*pip, "install", "--editable", f"{ROOT}[{extra}]"]) != 0:
        stop("Remora's dependencies could not be installed; pip says why above.")


def run_all(folder: Path, checks: Mapping[str, Sequence[str]]) -> int:
    """Run named checks, programs of the environment, each to its end; returns how many failed."""
    failed = []
    for name, (program, *arguments) in checks.items():
        say(name)
        if subprocess.call([str(executable(folder, program)), *arguments], cwd=ROOT) != 0:
            failed.append(name)
    if failed:
        say(f"failed: {', '.join(failed)}")
    return len(failed)


def become(arguments: Sequence[str]) -> NoReturn:
    """End this process as that program, so that signals reach it; Windows waits for it instead."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(arguments[0], list(arguments))  # noqa: S606
    process = subprocess.Popen(arguments)
    while True:
        try:
            sys.exit(process.wait())
        except KeyboardInterrupt:
            continue  # The program got Ctrl-C too, and ends in its own way.


def output(arguments: Sequence[str]) -> str:
    """What a program prints."""
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


def say(text: str) -> None:
    """Tell the user what happens now."""
    print(f"== {text}", flush=True)


def stop(text: str) -> NoReturn:
    """End with an error."""
    sys.exit(f"error: {text}")
