"""Names of resources: those that the template gives by default, and what Azure allows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from remora.azure.unique_string import name_suffix
from remora.errors import ConfigError

APP_LENGTH = 32
STORAGE_LENGTH = 32

_PREFIXES = {
    "storageAccountName": "aistorage",
    "fileShareName": "aifileshare",
    "acaEnvironmentName": "aienv",
    "acaEnvironmentStorageName": "aienvstorage",
    "acaAppName": "aiacaapp",
    "acaLogAnalyticsName": "ailog",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """What a name must match as a whole, and how to say it."""

    pattern: str
    words: str


RULES: Mapping[str, Rule] = {
    "storageAccountName": Rule(r"[a-z0-9]{3,24}", "3 to 24 lower-case letters and digits"),
    "fileShareName": Rule(
        r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*",
        "3 to 63 lower-case letters, digits and single hyphens",
    ),
    "acaEnvironmentName": Rule(
        r"[A-Za-z][A-Za-z0-9-]{0,58}[A-Za-z0-9]", "2 to 60 letters, digits and hyphens"
    ),
    "acaEnvironmentStorageName": Rule(
        r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?",
        "at most 32 lower-case letters, digits and hyphens",
    ),
    "acaAppName": Rule(
        r"(?!.*--)[a-z][a-z0-9-]{0,30}[a-z0-9]",
        "2 to 32 lower-case letters, digits and single hyphens, a letter first",
    ),
    "acaLogAnalyticsName": Rule(
        r"[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]", "4 to 63 letters, digits and hyphens"
    ),
}
_LIKE = {"frontAppName": "acaAppName", "readOnlyStorageName": "acaEnvironmentStorageName"}


def default_names(resource_group_id: str, given: Mapping[str, str]) -> dict[str, str]:
    """The names that the template computes itself; some of them follow from ``given`` ones."""
    suffix = given.get("resourceSuffix") or name_suffix(resource_group_id)
    names = {key: f"{prefix}{suffix}" for key, prefix in _PREFIXES.items()}
    app, storage = (
        given.get(key) or names[key] for key in ("acaAppName", "acaEnvironmentStorageName")
    )
    return {
        **names,
        "resourceSuffix": suffix,
        "frontAppName": front_name(app),
        "readOnlyStorageName": f"{storage[: STORAGE_LENGTH - 2]}ro",
    }


def front_name(app: str) -> str:
    """The front's default name, cut to what Azure allows."""
    return f"{app[: APP_LENGTH - len('-front')]}-front"


def check_name(key: str, name: str, place: str) -> None:
    """Raises `ConfigError` where Azure would refuse a name; ``place`` says where it stands."""
    rule = RULES.get(_LIKE.get(key, key))
    if rule is not None and not re.fullmatch(rule.pattern, name):
        raise ConfigError(f"{place}: {name!r} can't be a name there", hint=f"It has {rule.words}.")
