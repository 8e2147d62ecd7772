"""The checks of a project: its base model once, then any adapter against it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from remora.errors import AdapterBroken
from remora.formats.adapter_config import read_adapter_config
from remora.formats.folder import Folder, LocalFolder
from remora.project.checks import rules
from remora.project.checks.adapter import check_adapter
from remora.project.checks.base import Base, read_base
from remora.project.checks.diagnostic import Diagnostic
from remora.project.checks.values import SAMPLE
from remora.project.discovery import Kind
from remora.project.hub_cache import model_name
from remora.project.project import Project
from remora.project.scan import is_adapter

Opener = Callable[[Path], Folder]


@dataclass(frozen=True, slots=True)
class Checker:
    """A base model that was read, what was found in it, and the settings that matter."""

    base: Base
    found: tuple[Diagnostic, ...]
    dtype: str
    max_rank: int
    open: Opener

    def adapter(self, folder: Path, name: str, *, sample: int = SAMPLE) -> list[Diagnostic]:
        """What is wrong with an adapter's folder; see `check_adapter`."""
        return check_adapter(
            self.open(folder),
            name,
            self.base,
            dtype=self.dtype,
            max_rank=self.max_rank,
            sample=sample,
        )


def make_checker(
    project: Project, architectures: Collection[str], open_folder: Opener = LocalFolder
) -> Checker:
    """Read a project's base model. ``architectures`` are those that can be served;
    ``open_folder`` opens folders that are not of this machine."""
    base, found = read_base(
        open_folder(project.base),
        project.name,
        model_name(project.base),
        architectures=architectures,
    )
    return Checker(
        base, tuple(found), project.model.dtype, project.engine.max_lora_rank, open_folder
    )


def check_project(
    project: Project, architectures: Collection[str], open_folder: Opener = LocalFolder
) -> Iterator[Diagnostic]:
    """All that is wrong in a project, or worth knowing: the base model's first."""
    checker = make_checker(project, architectures, open_folder)
    yield from checker.found
    for name, folder in project.adapters.items():
        yield from checker.adapter(folder, name)
        if prompt := project.prompts.get(name):
            reason = f"its prompts are made with {str(prompt.template)!r}"
            yield Diagnostic(rules.PROMPT_TEMPLATE, name, prompt.source, reason)
    for finding in project.findings:
        if finding.kind is Kind.LEFT_OUT:
            yield _left_out(finding.path, finding.why)


def _left_out(path: Path, why: str) -> Diagnostic:
    rule = rules.LEFT_OUT
    if is_adapter(path):
        try:
            read_adapter_config(path)
        except AdapterBroken:
            rule = rules.ADAPTER_CONFIG
    return Diagnostic(rule, path.name, str(path), why)
