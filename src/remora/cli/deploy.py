"""``remora deploy``: from a project to an endpoint that says itself that it serves it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remora.cli.chosen_target import TargetName, chosen_target, deployed_project
from remora.cli.options import AsJson, ProjectFolder
from remora.cli.output import Output
from remora.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from remora.formats.folder import Folder
    from remora.project.project import Project
    from remora.release.sync import Survey
    from remora.targets.azure import AzureTarget


def deploy(
    project: ProjectFolder = None,
    target: Annotated[
        TargetName | None,
        typer.Option(
            help="Where it runs. Default: azure once `remora provision` has been there, else local."
        ),
    ] = None,
    share: Annotated[
        Path | None,
        typer.Option(help="Folder that stands for the share. Default: the project's own."),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="What changed, for `remora releases`.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be uploaded, and change nothing.")
    ] = False,
    no_wake: Annotated[
        bool,
        typer.Option("--no-wake", help="Leave a server asleep that sleeps at zero replicas."),
    ] = False,
    json: AsJson = False,
) -> None:
    """Let the endpoint serve the project as it is now, and wait until it says that it does.

    Adapters are exchanged while others stream; another base, other engine settings or other code
    restart the server. If it can't serve the new release, or on Ctrl-C, the old one goes on.

    Where --keep-commands was provisioned, the project's files, but no weights, are sent, and its
    commands run anew.
    """
    from remora.cli.deploy_view import DeployView
    from remora.project.git import commit_of
    from remora.release.publish import Provenance, user
    from remora.release.share_tree import open_folder
    from remora.targets.deploy import Deployment
    from remora.targets.local import LocalTarget

    output = Output(json)
    to = chosen_target(project, share, target)
    if not isinstance(to, LocalTarget) and not to.runs_remora:
        _deploy_files(output, (project or Path.cwd()).absolute(), to)
        return
    found = deployed_project(project or Path.cwd(), to)
    _tell_places(output, found)
    commit, dirty = commit_of(found.folder) or (None, False)
    log = None if isinstance(to, LocalTarget) else lambda: to.logs(follow=True)
    with DeployView(output, log) as view:
        deployment = Deployment(
            found,
            to,
            Provenance(user(), commit, dirty, message),
            check=lambda: _check(output, found, partial(open_folder, to.share)),
            listener=view,
            wakes=not no_wake,
        )
        if dry_run:
            survey = deployment.survey()
        else:
            deployed = deployment.run()
    if dry_run:
        _tell_missing(output, survey, found)
    else:
        view.tell(deployed, to.api_key_file if isinstance(to, LocalTarget) else None)


def _deploy_files(output: Output, folder: Path, target: AzureTarget) -> None:
    """The way of an app that was provisioned with --keep-commands."""
    from remora.cli.deploy_view import DeployView
    from remora.targets.kept_commands import KeptCommands

    with DeployView(output, lambda: target.logs(follow=True)) as view:
        sent = KeptCommands(folder, target, view).run()
    text = f"{len(sent)} files were sent; the commands run anew at {target.url}"
    output.say("deployed", text, url=target.url, files=sent)
    output.say("endpoint", url=target.url)


def _tell_places(output: Output, project: Project) -> None:
    """Say what of a project lies on the share, and not here."""
    folders = {project.name: project.base, **project.adapters}
    for name, path in folders.items():
        if not path.is_absolute():
            place = path.as_posix()
            output.say("on_share", f"{name} lies on the share: {place}", name=name, path=place)


def _check(output: Output, project: Project, open_folder: Callable[[Path], Folder]) -> bool:
    """Tell what the checks find; returns whether transformers' code has to run the base model."""
    from remora.cli.check import show_diagnostic
    from remora.engine.families import FAMILIES
    from remora.project.checks.checker import check_project
    from remora.project.checks.rules import BASE_ARCHITECTURE, Severity

    wrong, others_code = [], False
    for diagnostic in check_project(project, FAMILIES, open_folder):
        if diagnostic.rule.severity is not Severity.NOTE:
            show_diagnostic(output, diagnostic)
        others_code |= diagnostic.rule is BASE_ARCHITECTURE
        if diagnostic.rule.severity is Severity.ERROR:
            wrong.append(diagnostic.model)
    if wrong:
        raise AdapterError(
            f"nothing was deployed: {', '.join(dict.fromkeys(wrong))} can't be served",
            hint="The lines above say what to do; `remora check` prints them again.",
        )
    return others_code


def _tell_missing(output: Output, survey: Survey, project: Project) -> None:
    for source in survey.missing:
        path = source.local or Path(str(source.place))
        inside = path.relative_to(project.folder) if path.is_relative_to(project.folder) else path
        output.say("missing", f"{source.size:>14,}  {inside}", path=str(path), size=source.size)
    output.say(
        "survey",
        f"{len(survey.missing)} files of {survey.missing_bytes:,} bytes would be uploaded.",
        files=len(survey.missing),
        bytes=survey.missing_bytes,
        current=survey.current.release if survey.current else None,
    )
