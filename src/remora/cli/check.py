"""``remora check``: whether base and adapters fit together, before anything is loaded."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remora.cli.options import AsJson
from remora.cli.output import Output

if TYPE_CHECKING:
    from rich.text import Text

    from remora.project.checks.diagnostic import Diagnostic
    from remora.project.project import Project

MARKS = {"error": "red", "warning": "yellow", "note": "dim"}
FAILED = 3


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PROJECT | BASE ADAPTER...]",
            help="A project's folder, or that of a base model and those of adapters."
            " Default: the project in this folder.",
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings, too.")] = False,
    json: AsJson = False,
) -> None:
    """Check a base model and adapters from their headers: no model is loaded, nothing downloaded.

    The exit code is 3 if something can't be served (with --strict: or if there is a warning).
    """
    from remora.engine.families import FAMILIES
    from remora.project.checks.checker import check_project
    from remora.project.checks.rules import Severity

    output, counts = Output(json), Counter[str]()
    project = _project(paths or [])
    for diagnostic in check_project(project, FAMILIES):
        counts[diagnostic.severity] += 1
        show_diagnostic(output, diagnostic)
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    _summarise(output, project, counts)
    if errors or (strict and warnings):
        sys.exit(FAILED)


def show_diagnostic(output: Output, diagnostic: Diagnostic) -> None:
    """Two lines for a person, one event for a program."""
    rule = diagnostic.rule
    output.say(
        "diagnostic",
        "" if output.as_json else _lines(diagnostic),
        code=rule.code,
        severity=rule.severity,
        model=diagnostic.model,
        file=diagnostic.file,
        key=diagnostic.key,
        reason=diagnostic.reason,
        meaning=rule.meaning,
        fix=rule.fix,
    )


def _lines(diagnostic: Diagnostic) -> Text:
    from rich.text import Text

    rule = diagnostic.rule
    text = Text.assemble(
        (f"{rule.severity:<8}", MARKS[rule.severity]),
        f"{diagnostic.model}: {diagnostic.file}: {diagnostic.reason} ",
        (f"[{rule.code}]", "dim"),
    )
    if rule.severity != "note":
        text.append(f"\n{'':8}{rule.meaning} {rule.fix}", "dim")
    return text


def _project(paths: list[Path]) -> Project:
    from dataclasses import replace

    from remora.project.names import names_of
    from remora.project.project import check_adapter, find_project, plain_project

    if len(paths) < 2:
        return find_project(paths[0] if paths else Path.cwd())
    project = plain_project(paths[0])
    adapters = [check_adapter(path.absolute(), str(path)) for path in paths[1:]]
    names = names_of(adapters, taken=[project.name])
    return replace(project, adapters=dict(zip(names, adapters, strict=True)))


def _summarise(output: Output, project: Project, counts: Counter[str]) -> None:
    models = [project.name, *project.adapters]
    folders = [project.base, *project.adapters.values()]
    told = ", ".join(
        f"{counts[severity]} {severity}{'' if counts[severity] == 1 else 's'}" for severity in MARKS
    )
    output.say(
        "checked",
        f"{len(models)} model{'' if len(models) == 1 else 's'}: {told}.",
        models=models,
        folders={name: str(path) for name, path in zip(models, folders, strict=True)},
        **{f"{severity}s": counts[severity] for severity in MARKS},
    )
