"""What differs between two releases, and what a server must do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from remora.release.manifest import Content, Role


class Kind(StrEnum):
    """What was done to a part."""

    ADDED = "added"
    REPLACED = "replaced"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Change:
    """One part that differs: ``part`` is base, adapter, model, engine, code or runtime; ``name`` an
    adapter's name, a setting's key, a container's role or the base's name; ``before`` and ``after``
    digests or values.
    """

    kind: Kind
    part: str
    name: str = ""
    before: str | None = None
    after: str | None = None

    @property
    def needs_restart(self) -> bool:
        """Whether a running server can't take it in place. The front's own runtime is no matter of
        the server behind it."""
        return self.part != "adapter" and (self.part, self.name) != ("runtime", Role.FRONT)


def changes(before: Content | None, after: Content) -> Iterator[Change]:
    """All differences, in the order base, settings, code, runtime, adapters."""
    yield from _changed(
        "base",
        {b.name: b.digest for b in [before and before.base] if b},
        {after.base.name: after.base.digest},
    )
    for part in ("model", "engine"):
        old = getattr(before, part).model_dump(mode="json") if before else {}
        new = getattr(after, part).model_dump(mode="json")
        if before:
            yield from _changed(part, _set(old), _set(new))
    code = before.code if before else None
    yield from _changed(
        "code", {"": code.digest} if code else {}, {"": after.code.digest} if after.code else {}
    )
    yield from _changed("runtime", _runtimes(before), _runtimes(after))
    yield from _changed(
        "adapter",
        {name: adapter.digest for name, adapter in before.adapters.items()} if before else {},
        {name: adapter.digest for name, adapter in after.adapters.items()},
    )


def _runtimes(content: Content | None) -> dict[str, str]:
    found = (content.runtime if content else None) or {}
    return {role.value: archive.digest for role, archive in found.items()}


def _set(values: dict[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items() if value is not None}


def _changed(part: str, before: dict[str, str], after: dict[str, str]) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        kind = Kind.ADDED if old is None else Kind.REMOVED if new is None else Kind.REPLACED
        yield Change(kind, part, name, old, new)
