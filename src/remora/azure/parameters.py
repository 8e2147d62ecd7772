"""Each parameter of the template: its value, and who said so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from remora.azure.config_file import FinetuningConfig
from remora.azure.parameters_file import ParametersFile

# What inference has in common with the fine-tuning step. Commands and limits are its own.
SHARED = frozenset(
    {
        "location",
        "storageAccountName",
        "fileShareName",
        "acaEnvironmentName",
        "acaEnvironmentStorageName",
        "acaLogAnalyticsName",
    }
)


class Origin(StrEnum):
    """Where a value comes from, the strongest first."""

    OPTION = "option"
    INFERENCE = "inference parameters"
    FINETUNING = "fine-tuning parameters"
    FINETUNING_CONFIG = "fine-tuning config"
    EXISTING = "existing resources"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Source:
    """One place that gives values; None is no value. ``places`` tells where each one stands."""

    origin: Origin
    values: Mapping[str, Any]
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value with its origin."""

    name: str
    value: Any
    origin: Origin
    place: str


def resolve(names: Iterable[str], sources: Sequence[Source]) -> dict[str, Parameter]:
    """For each name the value of the first source that has one; a name without any is left out."""
    found = {}
    for name in names:
        for source in sources:
            value = source.values.get(name)
            if value is not None:
                place = source.places.get(name, source.origin.value)
                found[name] = Parameter(name, value, source.origin, place)
                break
    return found


def sources_of(
    *,
    options: Source,
    inference: ParametersFile | None,
    finetuning: ParametersFile | None,
    config: FinetuningConfig | None,
    existing: Source,
    defaults: Mapping[str, Any],
) -> list[Source]:
    """All sources in the order of their strength.

    ``finetuning`` and ``config`` are those of a fine-tuning step in the same resource group: the
    names of another group's resources mean nothing in this one.
    """
    left = {
        "storageAccountName": config.storage_account_name if config else None,
        "fileShareName": config.file_share_name if config else None,
    }
    return [
        options,
        _of_file(Origin.INFERENCE, inference),
        _of_file(Origin.FINETUNING, finetuning, only=SHARED),
        Source(Origin.FINETUNING_CONFIG, left, dict.fromkeys(left, "infra/finetuning.config.json")),
        existing,
        Source(Origin.DEFAULT, defaults),
    ]


def _of_file(
    origin: Origin, file: ParametersFile | None, only: frozenset[str] | None = None
) -> Source:
    values = file.values if file else {}
    places = file.places if file else {}
    chosen = {name: value for name, value in values.items() if only is None or name in only}
    return Source(origin, chosen, places)
