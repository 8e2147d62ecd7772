"""One request to ARM, its answer, and the table that leads from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.azure.double.errors import ArmError

if TYPE_CHECKING:
    from tests.azure.double.arm import Arm


@dataclass(frozen=True)
class Call:
    """``names`` are the parts of the path that the route's pattern names."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    body: Any = None
    names: dict[str, str] = field(default_factory=dict)

    @property
    def api_version(self) -> str:
        return self.query.get("api-version", "")


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Handler = Callable[["Arm", Call], Reply]


@dataclass(frozen=True)
class Route:
    """``pattern`` names parts in braces; a last ``{name:path}`` takes the rest of the path.

    ``type`` is the resource type whose API versions hold.
    """

    method: str
    pattern: str
    handler: Handler
    type: str

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """The named parts, or None where the route is another's."""
        if method != self.method:
            return None
        wanted, parts = self.pattern.strip("/").split("/"), path.strip("/").split("/")
        if wanted[-1].endswith(":path}") and len(parts) >= len(wanted):
            parts = [*parts[: len(wanted) - 1], "/".join(parts[len(wanted) - 1 :])]
        if len(wanted) != len(parts):
            return None
        names: dict[str, str] = {}
        for pattern, part in zip(wanted, parts, strict=True):
            if pattern.startswith("{"):
                names[pattern.strip("{}").removesuffix(":path")] = part
            elif pattern.lower() != part.lower():
                return None
        return names


def find(routes: Sequence[Route], method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The first route that fits. Raises `ArmError` where there is none."""
    for route in routes:
        names = route.match(method, path)
        if names is not None:
            return route, names
    raise ArmError(404, "InvalidResourceType", f"There is no operation {method} {path}.")
