"""What a project lacks on this machine, and the share has that it is deployed to.

Paths of what lies on the share are relative to it; those of this machine are absolute.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from remora.errors import ConfigError, ProjectNotFound
from remora.project.discovery import (
    Discovery,
    Finding,
    Kind,
    discover_in,
    matching_bases,
    nearby_bases,
)
from remora.project.scan import scan
from remora.project.tree import LocalTree, Tree


def base_on_share(share: Tree, named: str, place: str) -> Path | None:
    """The base that ``remora.toml`` names, by the same path or by the names of publisher and model.

    Raises `ConfigError`, which begins with ``place``, where several may be meant.
    """
    same = _same_path(named)
    if same and share.list(same).is_base:
        return same
    return _the_only(share, matching_bases(named, scan(share).bases), f"{place}: {named}")


def adapter_on_share(share: Tree, named: str) -> Path | None:
    """The adapter that ``remora.toml`` names, by the same path."""
    same = _same_path(named)
    return same if same and share.list(same).is_adapter else None


def discover_both(folder: Path, share: Tree, base: Path | None = None) -> Discovery:
    """What a folder serves, with the half of it that only the share has: the base that the folder's
    adapters were trained on, or the adapters that were trained on the folder's base. Nothing here
    means all that the share holds. Raises as `discover`, and `ConfigError` where it is not clear
    which base of the share is meant.
    """
    local = scan(LocalTree(folder))
    if base is None and not local.bases and not local.adapters:
        return discover_in(share)

    def bases(root: Path, names: Sequence[str]) -> list[Path]:
        return nearby_bases(root, names) or _bases_for(share, names, str(folder))

    try:
        here = discover_in(LocalTree(folder), base=base, elsewhere=bases)
    except ProjectNotFound as error:
        hint = "Let [model] of remora.toml name the base model, by its path here or on the share."
        raise ProjectNotFound(f"{error}; {share.label} holds none either", hint=hint) from error
    if not here.base.is_absolute():
        base_, *others = here.findings
        return replace(here, findings=(_noted(base_), *others))
    if here.adapters:
        return here
    there = discover_in(share, base=here.base, strict=True)
    adapters = [one for one in there.findings if one.kind is Kind.ADAPTER]
    return replace(
        here,
        adapters=there.adapters,
        prompts=there.prompts,
        findings=(*here.findings, *(_noted(one) for one in adapters)),
    )


def _bases_for(share: Tree, names: Sequence[str], folder: str) -> list[Path]:
    """The base on the share that adapters mean: the one that they name, or the only one if they
    name none."""
    found = scan(share).bases
    for name in names:
        if base := _the_only(share, matching_bases(name, found), f"{folder}: {name}"):
            return [base]
    base = None if names else _the_only(share, found, f"{folder}: adapters that name no base")
    return [base] if base else []


def _the_only(share: Tree, bases: Sequence[Path], named: str) -> Path | None:
    if len(bases) > 1:
        listed = "\n".join(f"  {base.as_posix()}" for base in bases)
        raise ConfigError(
            f"{named} may mean several base models on {share.label}:\n{listed}",
            hint="Let [model] of remora.toml name one of these paths as its base.",
        )
    return bases[0] if bases else None


def _same_path(named: str) -> Path | None:
    """A path of the project as one of the share; None where it leads out."""
    path = PurePosixPath(Path(named).as_posix())
    return None if path.is_absolute() or ".." in path.parts or not path.parts else Path(path)


def _noted(finding: Finding) -> Finding:
    return replace(finding, why=f"{finding.why}; it lies on the share")
