"""What a folder without ``remora.toml`` serves, and why: its base, and the adapters made for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from remora.errors import AdapterBroken, ConfigError, ProjectNotFound
from remora.formats.adapter_config import read_adapter_config
from remora.project.hub_cache import cached_model, is_hub_id, model_name
from remora.project.names import make_name, names_of
from remora.project.scan import Scan, is_base, scan

NEARBY = 4


class Kind(StrEnum):
    """What a finding is about."""

    CONFIG = "config"
    BASE = "base"
    ADAPTER = "adapter"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found, and why it is served, or is not. ``name`` is what it is served as,
    ``rank`` an adapter's LoRA rank."""

    kind: Kind
    path: Path
    why: str
    name: str = ""
    rank: int | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """The outcome: a base with its name, adapters by name, and how each was judged."""

    base: Path
    name: str
    adapters: Mapping[str, Path]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    base: str | None
    rank: int


def discover(folder: Path, *, base: Path | None = None) -> Discovery:
    """Choose what a folder serves; ``base`` settles which base it is.

    Raises `ProjectNotFound` when there is no base, and `ConfigError` when there are several and
    the adapters don't tell which.
    """
    found = scan(folder)
    candidates, left_out = _read_adapters(found)
    bases = list(found.bases) or _nearby_bases(folder, candidates)
    if base is not None:
        chosen, why = base, "named by the user"
        bases = [base, *(other for other in bases if other.resolve() != base.resolve())]
    else:
        chosen, why = _choose_base(folder, found, bases, candidates)
    name = make_name(model_name(chosen))
    taken: list[tuple[_Candidate, str]] = []
    for candidate in candidates:
        meant = matching_bases(candidate.base, bases)
        if chosen in meant:
            taken.append((candidate, f"was trained on {candidate.base}"))
        elif meant:
            reason = f"was trained on {candidate.base}, which is {_shown(meant[0], folder)}"
            left_out.append(_left_out(candidate.path, reason))
        else:
            reason = f"names {candidate.base or 'no base'}; taken to be for the base that is here"
            taken.append((candidate, reason))
    names = names_of([_within(folder, candidate.path) for candidate, _ in taken], taken=[name])
    served = [
        Finding(Kind.ADAPTER, candidate.path, reason, adapter, candidate.rank)
        for adapter, (candidate, reason) in zip(names, taken, strict=True)
    ]
    return Discovery(
        base=chosen,
        name=name,
        adapters={finding.name: finding.path for finding in served},
        findings=(Finding(Kind.BASE, chosen, why, name), *served, *left_out),
    )


def matching_bases(named: str | None, bases: Sequence[Path]) -> list[Path]:
    """The bases that an adapter's ``base_model_name_or_path`` may mean.

    It was written on another machine, so only the ends of the paths are compared: publisher and
    model if both agree with a base, else the model's name alone.
    """
    wanted = [part.lower() for part in re.split(r"[\\/]+", named or "") if part]
    scores = {
        base: _common_end(wanted, [p.lower() for p in base.resolve().parts]) for base in bases
    }
    best = max(scores.values(), default=0)
    return [base for base, score in scores.items() if score == best] if best else []


def _common_end(left: Sequence[str], right: Sequence[str]) -> int:
    common = 0
    for a, b in zip(reversed(left[-2:]), reversed(right[-2:]), strict=False):
        if a != b:
            break
        common += 1
    return common


def _read_adapters(found: Scan) -> tuple[list[_Candidate], list[Finding]]:
    candidates = []
    left_out = [
        *(_left_out(path, "a checkpoint of the adapter above it") for path in found.checkpoints),
        *(_left_out(path, "a base without *.safetensors") for path in found.without_weights),
    ]
    for path in found.adapters:
        try:
            config = read_adapter_config(path)
        except AdapterBroken as error:
            left_out.append(_left_out(path, str(error)))
        else:
            candidates.append(_Candidate(path, config.base, config.rank))
    return candidates, left_out


def _nearby_bases(folder: Path, candidates: Sequence[_Candidate]) -> list[Path]:
    """Bases that the adapters name, around the folder or in the Hugging Face cache."""
    names = list(dict.fromkeys(c.base for c in candidates if c.base))
    around = [
        base
        for ancestor in folder.parents[:NEARBY]
        for pattern in ("*/config.json", "model-cache/*/*/config.json")
        for base in sorted(path.parent for path in ancestor.glob(pattern))
        if is_base(base)
    ]
    for name in names:
        given = folder / name
        cached = cached_model(name) if is_hub_id(name) else None
        near = [given] if is_base(given) else matching_bases(name, around)[:1]
        if near or cached:
            return near or [path for path in [cached] if path]
    return []


def _choose_base(
    folder: Path, found: Scan, bases: Sequence[Path], candidates: Sequence[_Candidate]
) -> tuple[Path, str]:
    if not bases:
        raise _nothing_to_serve(folder, found, candidates)
    if len(bases) == 1:
        inside = bases[0] in found.bases
        return bases[0], f"the only base in {found.layout}" if inside else "the adapters name it"
    users = {base: sum(base in matching_bases(c.base, bases) for c in candidates) for base in bases}
    wanted = [base for base, count in users.items() if count]
    if len(wanted) == 1:
        return wanted[0], "the only one of several bases that adapters were trained on"
    listed = "\n".join(f"  {_shown(b, folder)}  ({users[b]} adapters name it)" for b in bases)
    raise ConfigError(
        f"{folder} holds several base models, and one endpoint serves one:\n{listed}",
        hint="Choose one with --base, or write it down with `remora init`.",
    )


def _nothing_to_serve(
    folder: Path, found: Scan, candidates: Sequence[_Candidate]
) -> ProjectNotFound:
    hint = "Name the base model's folder with --base, or start from `remora init`."
    if candidates:
        bases = ", ".join(sorted({c.base or "an unnamed base" for c in candidates}))
        message = f"{folder} holds adapters for {bases}, and no such base model"
    elif found.without_weights:
        listed = ", ".join(_shown(path, folder) for path in found.without_weights)
        message = f"{folder} holds a base model without *.safetensors: {listed}"
        hint = "Remora reads safetensors only; transformers' save_pretrained writes them."
    else:
        message = (
            f"{folder} holds neither remora.toml nor a base model (config.json, *.safetensors)"
        )
    return ProjectNotFound(message, hint=hint)


def _left_out(path: Path, why: str) -> Finding:
    return Finding(Kind.LEFT_OUT, path, why)


def _within(folder: Path, path: Path) -> Path:
    return path.relative_to(folder) if path != folder else Path(path.parent.name, path.name)


def _shown(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
