"""What a tree without ``remora.toml`` serves, and why: its base, and the adapters made for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from remora.errors import AdapterBroken, ConfigError, ProjectNotFound
from remora.formats.adapter_config import adapter_config_of
from remora.formats.folder import Folder
from remora.formats.prompt_template import PROMPT_FILE
from remora.formats.vocabulary import has_chat_template
from remora.project.hub_cache import cached_model, is_hub_id, model_name
from remora.project.names import make_name, names_of
from remora.project.scan import TOOLKIT_ADAPTERS, Scan, is_base, scan
from remora.project.toolkit_prompt import FoundPrompt, find_prompt
from remora.project.tree import LocalTree, Tree

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
    """The outcome: a base with its name, adapters by name, and how each was judged.

    ``prompts`` are AI Toolkit's prompt templates of those adapters that have no template.
    """

    base: Path
    name: str
    adapters: Mapping[str, Path]
    findings: tuple[Finding, ...]
    prompts: Mapping[str, FoundPrompt] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    base: str | None
    rank: int


def discover(folder: Path, *, base: Path | None = None) -> Discovery:
    """Choose what a folder of this machine serves; ``base`` settles which base it is.

    Raises `ProjectNotFound` when there is no base, and `ConfigError` when there are several and
    the adapters don't tell which.
    """
    return discover_in(LocalTree(folder), base=base, elsewhere=nearby_bases)


def discover_in(
    tree: Tree,
    *,
    base: Path | None = None,
    elsewhere: Callable[[Path, Sequence[str]], list[Path]] = lambda _root, _names: [],
    strict: bool = False,
) -> Discovery:
    """The same for any tree. ``elsewhere`` finds bases of those names when it holds none.
    ``strict`` leaves out what names another base than ``base``, wherever that is."""
    found = scan(tree)
    candidates, left_out = _read_adapters(tree, found)
    wanted = list(dict.fromkeys(c.base for c in candidates if c.base))
    bases = list(found.bases) or elsewhere(tree.root, wanted)
    if base is not None:
        chosen, why = base, "named by the user"
        others = [] if strict else [other for other in bases if _real(other) != _real(base)]
        bases = [base, *others]
    else:
        chosen, why = _choose_base(tree, found, bases, candidates)
    folder = tree.root
    name = make_name(model_name(chosen) if chosen.is_absolute() else chosen.name)
    taken: list[tuple[_Candidate, str]] = []
    for candidate in candidates:
        meant = matching_bases(candidate.base, bases)
        if chosen in meant:
            taken.append((candidate, f"was trained on {candidate.base}"))
        elif meant:
            reason = f"was trained on {candidate.base}, which is {_shown(meant[0], folder)}"
            left_out.append(_left_out(candidate.path, reason))
        elif strict and candidate.base:
            left_out.append(_left_out(candidate.path, f"was trained on {candidate.base}"))
        else:
            reason = f"names {candidate.base or 'no base'}; taken to be for the base that is here"
            taken.append((candidate, reason))
    names = names_of([_within(folder, candidate.path) for candidate, _ in taken], taken=[name])
    prompts = _prompts(tree, {n: c.path for n, (c, _) in zip(names, taken, strict=True)})
    served = [
        Finding(Kind.ADAPTER, c.path, reason + _prompted(prompts, adapter), adapter, c.rank)
        for adapter, (c, reason) in zip(names, taken, strict=True)
    ]
    return Discovery(
        base=chosen,
        name=name,
        adapters={finding.name: finding.path for finding in served},
        findings=(Finding(Kind.BASE, chosen, why, name), *served, *left_out),
        prompts=prompts,
    )


def _prompts(tree: Tree, adapters: Mapping[str, Path]) -> dict[str, FoundPrompt]:
    """The project's prompt template for the adapters that were trained in it and have none."""
    trained_here = tree.root / TOOLKIT_ADAPTERS
    mine = {
        name: path
        for name, path in adapters.items()
        if path.is_relative_to(trained_here) and not _has_template(tree.open(path))
    }
    prompt = find_prompt(tree) if mine else None
    return {} if prompt is None else dict.fromkeys(mine, prompt)


def _has_template(adapter: Folder) -> bool:
    return PROMPT_FILE in adapter.names() or has_chat_template(adapter)


def _prompted(prompts: Mapping[str, FoundPrompt], adapter: str) -> str:
    found = prompts.get(adapter)
    return "" if found is None else f"; its prompt is that of {found.source}"


def matching_bases(named: str | None, bases: Sequence[Path]) -> list[Path]:
    """The bases that an adapter's ``base_model_name_or_path`` may mean.

    It was written on another machine, so only the ends of the paths are compared: publisher and
    model if both agree with a base, else the model's name alone.
    """
    wanted = [part.lower() for part in re.split(r"[\\/]+", named or "") if part]
    scores = {base: _common_end(wanted, _names(base)) for base in bases}
    best = max(scores.values(), default=0)
    return [base for base, score in scores.items() if score == best] if best else []


def _names(base: Path) -> list[str]:
    """The parts of a base's path, in small letters; a snapshot in the Hugging Face cache is called
    as its model."""
    path = _real(base)
    if path.parent.name == "snapshots":
        return path.parents[1].name.removeprefix("models--").lower().split("--")
    return [part.lower() for part in path.parts]


def _real(path: Path) -> Path:
    """Where links lead to on this machine; a path on a share is what it is."""
    return path.resolve() if path.is_absolute() else path


def _common_end(left: Sequence[str], right: Sequence[str]) -> int:
    common = 0
    for a, b in zip(reversed(left[-2:]), reversed(right[-2:]), strict=False):
        if a != b:
            break
        common += 1
    return common


def _read_adapters(tree: Tree, found: Scan) -> tuple[list[_Candidate], list[Finding]]:
    candidates = []
    left_out = [
        *(_left_out(path, "a checkpoint of the adapter above it") for path in found.checkpoints),
        *(_left_out(path, "a base without *.safetensors") for path in found.without_weights),
    ]
    for path in found.adapters:
        try:
            config = adapter_config_of(tree.open(path))
        except AdapterBroken as error:
            left_out.append(_left_out(path, str(error)))
        else:
            candidates.append(_Candidate(path, config.base, config.rank))
    return candidates, left_out


def nearby_bases(folder: Path, names: Sequence[str]) -> list[Path]:
    """Bases that the adapters name, around the folder or in the Hugging Face cache."""
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
    tree: Tree, found: Scan, bases: Sequence[Path], candidates: Sequence[_Candidate]
) -> tuple[Path, str]:
    if not bases:
        raise _nothing_to_serve(tree, found, candidates)
    if len(bases) == 1:
        inside = bases[0] in found.bases
        return bases[0], f"the only base in {found.layout}" if inside else "the adapters name it"
    users = {base: sum(base in matching_bases(c.base, bases) for c in candidates) for base in bases}
    wanted = [base for base, count in users.items() if count]
    if len(wanted) == 1:
        return wanted[0], "the only one of several bases that adapters were trained on"
    listed = "\n".join(f"  {_shown(b, tree.root)}  ({users[b]} adapters name it)" for b in bases)
    raise ConfigError(
        f"{tree.label} holds several base models, and one endpoint serves one:\n{listed}",
        hint="Choose one with --base, or write it down with `remora init`.",
    )


def _nothing_to_serve(tree: Tree, found: Scan, candidates: Sequence[_Candidate]) -> ProjectNotFound:
    hint = "Name the base model's folder with --base, or start from `remora init`."
    if candidates:
        bases = ", ".join(sorted({c.base or "an unnamed base" for c in candidates}))
        message = f"{tree.label} holds adapters for {bases}, and no such base model"
    elif found.without_weights:
        listed = ", ".join(_shown(path, tree.root) for path in found.without_weights)
        message = f"{tree.label} holds a base model without *.safetensors: {listed}"
        hint = "Remora reads safetensors only; transformers' save_pretrained writes them."
    else:
        message = (
            f"{tree.label} holds neither remora.toml nor a base model (config.json, *.safetensors)"
        )
    return ProjectNotFound(message, hint=hint)


def _left_out(path: Path, why: str) -> Finding:
    return Finding(Kind.LEFT_OUT, path, why)


def _within(folder: Path, path: Path) -> Path:
    return path.relative_to(folder) if path != folder else Path(path.parent.name, path.name)


def _shown(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
