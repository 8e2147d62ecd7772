"""A project: the base model and the adapters to serve, and why it is these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from remora.errors import AdapterBroken, ConfigError, ProjectNotFound
from remora.formats.adapter_config import adapter_config_of
from remora.formats.folder import LocalFolder
from remora.formats.prompt_template import parse_prompt
from remora.project.config import (
    CONFIG_FILE,
    CodeSection,
    Config,
    ContainerSection,
    EngineSection,
    ModelSection,
    ServerSection,
    read_config,
    where,
)
from remora.project.discovery import Discovery, Finding, Kind, discover
from remora.project.elsewhere import adapter_on_share, base_on_share, discover_both
from remora.project.hub_cache import cached_model, is_hub_id, model_name
from remora.project.names import make_name
from remora.project.scan import has_model_config, is_adapter, is_base
from remora.project.toolkit_prompt import FoundPrompt
from remora.project.tree import Tree


@dataclass(frozen=True, slots=True)
class Project:
    """What to serve. Paths are absolute, or relative where something lies on the share that the
    project is deployed to, and not on this machine; ``adapters`` maps names to PEFT folders,
    and ``prompts`` to prompt templates that stand in the place of chat templates."""

    folder: Path
    base: Path
    name: str
    adapters: Mapping[str, Path] = field(default_factory=dict)
    prompts: Mapping[str, FoundPrompt] = field(default_factory=dict)
    model: ModelSection = field(default_factory=lambda: ModelSection(base="."))
    engine: EngineSection = field(default_factory=EngineSection)
    server: ServerSection = field(default_factory=ServerSection)
    code: CodeSection | None = None
    container: ContainerSection = field(default_factory=ContainerSection)
    findings: tuple[Finding, ...] = ()


def find_project(folder: Path, *, base: Path | None = None, share: Tree | None = None) -> Project:
    """The project in a folder: what its ``remora.toml`` says, or else what lies in it.

    ``base`` overrides the base model. What is not here is looked for on the ``share``. Raises
    `ProjectNotFound` when there is nothing to serve, `ConfigError` when the file is wrong or it is
    not clear which base is meant.
    """
    folder = folder.absolute()
    if not folder.is_dir():
        raise ProjectNotFound(
            f"The folder {folder} does not exist", hint="Name the folder of a project."
        )
    file = folder / CONFIG_FILE
    if file.is_file():
        return _configured(file, read_config(file), base, share)
    found = discover(folder, base=base) if share is None else discover_both(folder, share, base)
    return discovered_project(folder, found)


def discovered_project(folder: Path, found: Discovery) -> Project:
    """A project of what lies in a folder, with all settings at their defaults."""
    return Project(
        folder=folder,
        base=found.base,
        name=found.name,
        adapters=found.adapters,
        prompts=found.prompts,
        findings=found.findings,
    )


def plain_project(base: Path) -> Project:
    """A base model by itself, where no project is looked for."""
    base = check_base(base.absolute(), "--base")
    name = make_name(model_name(base))
    return Project(Path.cwd(), base, name, findings=(_named_base(base, name),))


def check_base(base: Path, place: str, further: str = "") -> Path:
    """``base`` if it is a base model's folder; else a `ConfigError` that begins with ``place`` and
    ends with what is ``further`` to be said."""
    if is_base(base):
        return base
    raise ConfigError(
        f"{place}: {_what_is_wrong(base)}{further}",
        hint="A base model is a Hugging Face folder: config.json, tokenizer.json, *.safetensors.",
    )


def check_adapter(adapter: Path, place: str, further: str = "") -> Path:
    """``adapter`` if it is a PEFT folder; else a `ConfigError`, as `check_base`'s."""
    if is_adapter(adapter):
        return adapter
    wrong = "holds no adapter_config.json" if adapter.is_dir() else "does not exist"
    raise ConfigError(
        f"{place}: the folder {adapter} {wrong}{further}",
        hint="An adapter is a folder that PEFT's save_pretrained wrote.",
    )


def _what_is_wrong(base: Path) -> str:
    if not base.is_dir():
        return f"the folder {base} does not exist"
    if has_model_config(base):
        return f"the folder {base} holds no *.safetensors"
    return f"the folder {base} holds no config.json of a model"


def _configured(file: Path, config: Config, override: Path | None, share: Tree | None) -> Project:
    text = file.read_text(encoding="utf-8")
    if override is not None:
        base = check_base(override.absolute(), "--base")
    else:
        base = _resolve_base(file, text, config.model.base, share)
    name = config.model.name or make_name(model_name(base) if base.is_absolute() else base.name)
    adapters = {
        key: _resolve_adapter(file, section.path, share, where(file, text, ("adapters", key)))
        for key, section in config.adapters.items()
    }
    if name in adapters:
        place = where(file, text, ("adapters", name))
        raise ConfigError(f"{place}: is the base model's name", hint="Give the adapter another.")
    why = "named by the user" if override else "named in [model]" + _place(base)
    return Project(
        folder=file.parent,
        base=base,
        name=name,
        adapters=adapters,
        prompts={
            key: FoundPrompt(parse_prompt(section.prompt_template), file.name)
            for key, section in config.adapters.items()
            if section.prompt_template is not None
        },
        model=config.model,
        engine=config.engine,
        server=config.server,
        code=_existing(file, text, config.code),
        container=config.container,
        findings=(
            Finding(Kind.CONFIG, file, "is read, and nothing else is looked for"),
            Finding(Kind.BASE, base, why, name),
            *(_listed_adapter(key, path, share) for key, path in adapters.items()),
        ),
    )


def _resolve_base(file: Path, text: str, base: str, share: Tree | None) -> Path:
    folder, place = file.parent / base, where(file, text, ("model", "base"))
    if not folder.exists() and is_hub_id(base) and (cached := cached_model(base)):
        return cached
    if share is not None and not is_base(folder) and (there := base_on_share(share, base, place)):
        return there
    nor = f", nor on {share.label}" if share else ""
    if not folder.exists() and is_hub_id(base):
        raise ConfigError(
            f"{place}: {base} is neither a folder here nor in the Hugging Face cache of this"
            f" machine{nor}",
            hint=f"Download it with `hf download {base}`.",
        )
    return check_base(folder, place, nor)


def _resolve_adapter(file: Path, path: str, share: Tree | None, place: str) -> Path:
    folder = file.parent / path
    if share is not None and not is_adapter(folder) and (there := adapter_on_share(share, path)):
        return there
    return check_adapter(folder, place, f", nor is it on {share.label}" if share else "")


def _place(path: Path) -> str:
    return "" if path.is_absolute() else "; it lies on the share"


def _existing(file: Path, text: str, code: CodeSection | None) -> CodeSection | None:
    """The table [code], whose files and folders are all there."""
    named = [("include", path) for path in code.include] if code else []
    if code and code.requirements:
        named.append(("requirements", code.requirements))
    for key, path in named:
        if not (file.parent / path).exists():
            raise ConfigError(
                f"{where(file, text, ('code', key))}: {file.parent / path} does not exist",
                hint="Without the table [code] no code travels with a release.",
            )
    return code


def _listed_adapter(name: str, path: Path, share: Tree | None) -> Finding:
    folder = LocalFolder(path) if share is None else share.open(path)
    try:
        rank = adapter_config_of(folder).rank
    except AdapterBroken:
        rank = None  # The engine tells what is wrong with it, and serves the others.
    return Finding(Kind.ADAPTER, path, "named in [adapters]" + _place(path), name, rank)


def _named_base(base: Path, name: str) -> Finding:
    return Finding(Kind.BASE, base, "named by the user", name)
