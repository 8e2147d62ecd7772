"""Which template is deployed: Remora's, or one that the user wrote."""

from __future__ import annotations

import json
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from remora.azure.template import BICEP, find_template, own_template
from remora.errors import ConfigError

OWN = (files("remora.azure") / "infra" / "inference.bicep").read_text(encoding="utf-8")
TOOLKIT = """
param defaultCommands array
param maximumInstanceCount int = 2
param location string = resourceGroup().location
param storageAccountName string?
param fileShareName string?
param acaEnvironmentName string?
param acaEnvironmentStorageName string?
param acaAppName string?
param acaLogAnalyticsName string?
resource environment 'Microsoft.App/managedEnvironments@2023-11-02-preview' = {}
"""


def write(project: Path, text: str) -> None:
    (project / BICEP).parent.mkdir(parents=True)
    (project / BICEP).write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def _no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "Remora's template"),
        (OWN, "which is Remora's template"),
        (OWN.replace("\n", "\r\n"), "which is Remora's template"),
        (TOOLKIT, "in the place of AI Toolkit's"),
    ],
)
def test_remoras_template_is_taken(tmp_path: Path, text: str | None, told: str) -> None:
    if text is not None:
        write(tmp_path, text)
    found = find_template(tmp_path)
    assert told in found.origin
    assert found.content == own_template("").content


@pytest.mark.parametrize("text", [TOOLKIT + "param more string\n", OWN + "// mine\n"])
def test_a_changed_one_is_never_replaced_in_silence(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(ConfigError, match="template of your own") as error:
        find_template(tmp_path)
    assert "--template" in str(error.value.hint)


def test_a_compiled_one_is_taken_as_it_is(tmp_path: Path) -> None:
    content = {"parameters": {"key": {"type": "secureString"}}, "resources": []}
    (tmp_path / "mine.json").write_text(json.dumps(content), encoding="utf-8")
    found = find_template(tmp_path, tmp_path / "mine.json")
    assert found.content == content
    assert found.parameters["key"].is_secret
    with pytest.raises(ConfigError, match="does not exist"):
        find_template(tmp_path, tmp_path / "none.bicep")


@pytest.mark.skipif(sys.platform == "win32", reason="the compiler's stand-in is a shell script")
def test_the_official_compiler_compiles_it(tmp_path: Path) -> None:
    write(tmp_path, "param mine string\n")
    compiler = tmp_path / "bin" / "bicep"
    compiler.write_text('#!/bin/sh\necho "{\\"arguments\\": \\"$1 $2\\"}"\n', encoding="utf-8")
    compiler.chmod(0o755)
    assert find_template(tmp_path).content == {"arguments": "build --stdout"}
    compiler.write_text("#!/bin/sh\necho 'Error BCP001' >&2\nexit 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="BCP001"):
        find_template(tmp_path)
