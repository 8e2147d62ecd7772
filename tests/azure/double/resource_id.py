"""The ids of Azure's resources, which are compared without regard to case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class ResourceId:
    """A resource of a group: ``types[i]`` belongs to ``names[i]``, outermost first."""

    subscription: str
    group: str
    namespace: str
    types: tuple[str, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, path: str) -> Self:
        """From a path like ``/subscriptions/…/providers/…``. Raises `ValueError` on another one."""
        parts = path.strip("/").split("/")
        words = [part.lower() for part in parts]
        if (
            len(parts) < 8
            or len(parts) % 2
            or (words[0], words[2], words[4]) != ("subscriptions", "resourcegroups", "providers")
        ):
            raise ValueError(f"{path} is not the id of a resource of a group")
        return cls(parts[1], parts[3], parts[5], tuple(parts[6::2]), tuple(parts[7::2]))

    @property
    def type(self) -> str:
        return "/".join((self.namespace, *self.types))

    @property
    def name(self) -> str:
        """As ARM writes it: the resource's own name."""
        return self.names[-1]

    @property
    def parent(self) -> ResourceId | None:
        if len(self.names) == 1:
            return None
        return ResourceId(
            self.subscription, self.group, self.namespace, self.types[:-1], self.names[:-1]
        )

    @property
    def key(self) -> str:
        """Equal for ids that name the same resource."""
        return str(self).lower()

    def child(self, kind: str, name: str) -> ResourceId:
        return ResourceId(
            self.subscription,
            self.group,
            self.namespace,
            (*self.types, kind),
            (*self.names, name),
        )

    def __str__(self) -> str:
        pairs = "".join(
            f"/{kind}/{name}" for kind, name in zip(self.types, self.names, strict=True)
        )
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/{self.namespace}{pairs}"
        )
