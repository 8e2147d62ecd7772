"""``remora init``: a wizard that writes a commented ``remora.toml``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remora.cli.output import Output
from remora.errors import ConfigError, ProjectNotFound

if TYPE_CHECKING:
    from remora.project.project import Project

CODE = "inference"  # where AI Toolkit keeps a project's code


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the project.")] = Path(),
    base: Annotated[Path | None, typer.Option(help="Folder of the base model.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing; take what is found.")] = (
        False
    ),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print events as JSON lines; implies --yes.")
    ] = False,
) -> None:
    """Look for a base model and adapters in a folder, and write its remora.toml."""
    from remora.cli.findings import show_findings
    from remora.project.config import CONFIG_FILE
    from remora.project.template import render

    output, ask = Output(json), not (yes or json)
    folder = folder.absolute()
    file = folder / CONFIG_FILE
    _check_free(file, force=force, ask=ask)
    project = _discover(folder, base.absolute() if base else None, ask=ask)
    show_findings(output, project.findings, folder)
    _tell_of_toolkit(output, folder)
    name, adapters, port = project.name, project.adapters, project.server.port
    if ask:
        name, adapters, port = _ask(project)
    text = render(
        folder,
        base=project.base,
        name=name,
        adapters=adapters,
        prompts=project.prompts,
        server={"port": port},
        code={"include": [CODE]} if ask and _wants_code(folder) else None,
    )
    _write(file, text)
    output.say("written", f"Wrote {file}. Serve it with `remora serve`.", path=str(file))


def _check_free(file: Path, *, force: bool, ask: bool) -> None:
    if force or not file.exists():
        return
    if ask and typer.confirm(f"{file} exists. Replace it?", default=False):
        return
    raise ConfigError(f"{file} exists, and is left as it is", hint="--force replaces it.")


def _discover(folder: Path, base: Path | None, *, ask: bool) -> Project:
    from remora.project.discovery import discover
    from remora.project.project import check_base, discovered_project

    if not folder.is_dir():
        raise ProjectNotFound(f"The folder {folder} does not exist", hint="Make it first.")
    while True:
        try:
            if base is not None:
                check_base(base, "base")
            return discovered_project(folder, discover(folder, base=base))
        except ConfigError as error:
            if not ask:
                raise
            typer.echo(str(error), err=True)
            base = (folder / Path(typer.prompt("Folder of the base model")).expanduser()).absolute()


def _ask(project: Project) -> tuple[str, Mapping[str, Path], int]:
    """Name of the base, adapters to serve, port."""
    name = typer.prompt("Name of the base model", default=project.name)
    adapters = {
        key: path
        for key, path in project.adapters.items()
        if typer.confirm(f"Serve the adapter {key}?", default=True)
    }
    port = typer.prompt("Port", default=project.server.port, type=int)
    return name, adapters, port


def _tell_of_toolkit(output: Output, folder: Path) -> None:
    """What becomes of the commands that AI Toolkit runs in its container."""
    from remora.azure.parameters_file import INFERENCE_PARAMETERS, read_parameters
    from remora.azure.toolkit_commands import REPLACED, starts_gradio_chat

    file = read_parameters(folder, INFERENCE_PARAMETERS)
    if file is not None and starts_gradio_chat(file.values.get("defaultCommands")):
        output.say("note", f"note      {file.path.name}: {REPLACED}.", message=REPLACED)


def _wants_code(folder: Path) -> bool:
    """Whether AI Toolkit's code is to travel; Remora itself serves without it."""
    return (folder / CODE).is_dir() and typer.confirm(
        f"Take the code in {CODE}/ along with a release? Remora serves without it.", default=False
    )


def _write(file: Path, text: str) -> None:
    """Write beside, then rename: a half-written file is never there."""
    from remora.project.config import read_config

    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(text, encoding="utf-8")
        read_config(beside)  # What the user typed may be no name: tell before it is in place.
        beside.replace(file)
    except OSError as error:
        raise ConfigError(f"{file} can't be written: {error.strerror}") from error
    finally:
        beside.unlink(missing_ok=True)
