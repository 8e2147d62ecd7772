"""The template to deploy: Remora's own, or one that the user has written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from remora.azure.json_file import read_json
from remora.errors import ConfigError

BICEP = Path("infra", "provision", "inference.bicep")

# What AI Toolkit's own template declares, and the version of an API that only it asks for.
_TOOLKIT_PARAMETERS = frozenset(
    {
        "defaultCommands",
        "maximumInstanceCount",
        "location",
        "storageAccountName",
        "fileShareName",
        "acaEnvironmentName",
        "acaEnvironmentStorageName",
        "acaAppName",
        "acaLogAnalyticsName",
    }
)
_TOOLKIT_ENVIRONMENT = "Microsoft.App/managedEnvironments@2023-11-02-preview"


@dataclass(frozen=True, slots=True)
class Definition:
    """A parameter as a template declares it; ``default`` is None where there is none."""

    type: str
    default: Any
    allowed: tuple[Any, ...]

    @property
    def is_secret(self) -> bool:
        """Whether Azure keeps its value to itself."""
        return self.type.lower().startswith("secure")


@dataclass(frozen=True, slots=True)
class Template:
    """Compiled content, and where it comes from, in words."""

    content: Mapping[str, Any]
    origin: str

    @property
    def parameters(self) -> dict[str, Definition]:
        """What it can be given, by name."""
        return {
            name: Definition(
                type=str(found.get("type", "")),
                default=found.get("defaultValue"),
                allowed=tuple(found.get("allowedValues", ())),
            )
            for name, found in self.content.get("parameters", {}).items()
        }


def find_template(project: Path, given: Path | None = None) -> Template:
    """The template that is named, or the project's own, or else Remora's.

    Raises `ConfigError` if a template was written that can't be compiled here.
    """
    if given is not None:
        return _user_template(given)
    own = project / BICEP
    if not own.is_file():
        return own_template("Remora's template")
    text = own.read_text(encoding="utf-8", errors="replace")
    if _same_text(text, _shipped("inference.bicep")):
        return own_template(f"{BICEP.as_posix()}, which is Remora's template")
    if is_toolkit_template(text):
        return own_template(
            f"Remora's template, in the place of AI Toolkit's in {BICEP.as_posix()}"
            " (--template takes that one)"
        )
    return _user_template(own)


def own_template(origin: str) -> Template:
    """The compiled template that comes with Remora."""
    return Template(json.loads(_shipped("inference.json")), origin)


def is_toolkit_template(text: str) -> bool:
    """Whether a Bicep text declares what AI Toolkit's template for inference does."""
    declared = set(re.findall(r"^\s*param\s+(\w+)", text, re.MULTILINE))
    return declared - {"resourceSuffix"} == _TOOLKIT_PARAMETERS and _TOOLKIT_ENVIRONMENT in text


def _user_template(path: Path) -> Template:
    if path.suffix.lower() == ".json":
        return Template(read_json(path).value, str(path))
    if not path.is_file():
        raise ConfigError(f"{path} does not exist", hint="--template names a .bicep or .json file.")
    return Template(_compile(path), str(path))


def _compile(path: Path) -> dict[str, Any]:
    if program := shutil.which("bicep"):
        command = [program, "build", "--stdout", str(path)]
    elif program := shutil.which("az"):
        command = [program, "bicep", "build", "--stdout", "--file", str(path)]
    else:
        raise ConfigError(
            f"{path} is a template of your own, and there is no Bicep compiler here",
            hint="Install the Bicep CLI (or the Azure CLI), or compile it elsewhere and name the"
            " .json with --template. Without the file, Remora's own template is taken.",
        )
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
        )
        compiled = json.loads(done.stdout) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{path} can't be compiled: {error}") from error
    if not isinstance(compiled, dict):
        raise ConfigError(f"{path} can't be compiled:\n{done.stderr.strip()}")
    return compiled


def _shipped(name: str) -> str:
    return files("remora.azure").joinpath("infra", name).read_text(encoding="utf-8")


def _same_text(left: str, right: str) -> bool:
    return left.split() == right.split()
