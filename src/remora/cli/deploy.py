"""``remora deploy``: from a project to an endpoint that says itself that it serves it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remora.cli.chosen_target import TargetName, chosen_target
from remora.cli.options import AsJson, ProjectFolder
from remora.cli.output import Output
from remora.errors import AdapterError, ProjectNotFound

if TYPE_CHECKING:
    from collections.abc import Callable

    from remora.formats.folder import Folder
    from remora.project.discovery import Discovery
    from remora.project.project import Project
    from remora.release.sync import Survey
    from remora.targets.azure import AzureTarget
    from remora.targets.local import LocalTarget


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
    from remora.formats.folder import LocalFolder
    from remora.project.git import commit_of
    from remora.release.publish import Provenance, user
    from remora.release.share_tree import ShareTree
    from remora.targets.deploy import Deployment
    from remora.targets.local import LocalTarget

    output = Output(json)
    to = chosen_target(project, share, target)
    if not isinstance(to, LocalTarget) and not to.runs_remora:
        _deploy_files(output, (project or Path.cwd()).absolute(), to)
        return
    found, on_share = project_for(project or Path.cwd(), to)
    commit, dirty = commit_of(found.folder) or (None, False)
    log = None if isinstance(to, LocalTarget) else lambda: to.logs(follow=True)
    with DeployView(output, log) as view:
        deployment = Deployment(
            found,
            to,
            Provenance(user(), commit, dirty, message),
            check=lambda: _check(
                output, found, ShareTree(to.share).open if on_share else LocalFolder
            ),
            listener=view,
            on_share=on_share,
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


def project_for(
    folder: Path, target: LocalTarget | AzureTarget
) -> tuple[Project, Discovery | None]:
    """The project in a folder. One that is fine-tuned on Azure may hold neither base nor adapters:
    then they are looked for where fine-tuning left them, on the share."""
    from remora.project.discovery import discover_in
    from remora.project.project import discovered_project, find_project
    from remora.release.share_tree import ShareTree

    try:
        return find_project(folder), None
    except ProjectNotFound:
        if target.name != TargetName.AZURE:
            raise
    found = discover_in(ShareTree(target.share))
    return discovered_project(folder.absolute(), found), found


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
