"""Deployment-parameters files: ``{"parameters": {"acaAppName": {"value": "my-app"}}}``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remora.azure.json_file import read_json
from remora.errors import ConfigError

INFERENCE_PARAMETERS = "inference.parameters.json"
FINETUNING_PARAMETERS = "finetuning.parameters.json"
FOLDERS = (Path("infra", "provision"), Path("infra"))  # The first that has the file is read.

# A parameter that stands in a key vault has no value here: Azure looks it up.
SecretReference = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ParametersFile:
    """What a file gives. A null means "the default", and is left out of ``values``.

    ``references`` are parameters that name a secret of a key vault; ``places`` says of each name
    where it stands.
    """

    path: Path
    values: Mapping[str, Any]
    references: Mapping[str, SecretReference]
    places: Mapping[str, str]


def read_parameters(project: Path, name: str) -> ParametersFile | None:
    """The file of that name in a project; None if it has none. Raises `ConfigError`."""
    paths = [project / folder / name for folder in FOLDERS]
    path = next((path for path in paths if path.is_file()), None)
    return None if path is None else _read(path)


def _read(path: Path) -> ParametersFile:
    file = read_json(path)
    entries = file.value.get("parameters", {})
    if not isinstance(entries, dict):
        raise ConfigError(f"{file.place('parameters')}: an object is expected")
    values, references = {}, {}
    for name, entry in entries.items():
        if not isinstance(entry, dict) or len(entry.keys() & {"value", "reference"}) != 1:
            raise ConfigError(
                f'{file.place(name)}: {{"value": ...}} is expected',
                hint="This is the form of Azure's deployment-parameters files.",
            )
        if "reference" in entry:
            references[name] = entry["reference"]
        elif entry["value"] is not None:
            values[name] = entry["value"]
    return ParametersFile(
        path, values, references, {name: file.place(name) for name in (*values, *references)}
    )
