"""The program ``remora``.

| exit code | meaning |
| --- | --- |
| 0 | done |
| 1 | a check of `doctor` or `verify` failed, or an unexpected fault |
| 2 | a file, key or option of the user is wrong |
| 3 | the base model or an adapter can't be served, or `check` has found that |
| 4 | an endpoint did not answer as hoped |
| 5 | the share can't be read or written |
| 6 | a release can't be made, read, published or served |
| 7 | a target can't run or reach its server |
| 8 | Azure can't do, or refused, what was asked |
| 75 | `serve --share` asks to be started again: another release needs a restart |
| 130 | interrupted with Ctrl-C |
"""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from remora import __version__
from remora.cli.chat import chat
from remora.cli.check import check
from remora.cli.closing import closing
from remora.cli.deploy import deploy
from remora.cli.doctor import doctor
from remora.cli.down import down
from remora.cli.front import front
from remora.cli.init import init
from remora.cli.logs import logs
from remora.cli.open import open_
from remora.cli.output import INTERRUPTED, report
from remora.cli.provision import provision
from remora.cli.prune import prune
from remora.cli.releases import releases
from remora.cli.rollback import rollback
from remora.cli.secret import secret
from remora.cli.serve import serve
from remora.cli.status import status
from remora.cli.ui import ui
from remora.cli.verify import verify

app = typer.Typer(
    name="remora",
    help="A base model and many LoRA adapters behind one OpenAI-compatible endpoint.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"remora {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
    until_stdin_ends: Annotated[
        bool,
        typer.Option(
            "--until-stdin-ends",
            help="End as by Ctrl-C when standard input ends: with the program that started this.",
        ),
    ] = False,
) -> None:
    """A base model and many LoRA adapters behind one OpenAI-compatible endpoint."""
    if until_stdin_ends:
        from remora.cli.stdin import interrupt, stop_with_stdin

        stop_with_stdin(interrupt)


app.command()(serve)
app.command()(front)
app.command()(ui)
app.command()(chat)
app.command()(provision)
app.command()(deploy)
app.command()(status)
app.command()(logs)
app.command()(releases)
app.command()(rollback)
app.command()(prune)
app.command()(verify)
app.command("open")(open_)
app.command()(down)
app.add_typer(secret, name="secret")
app.command()(init)
app.command()(check)
app.command()(doctor)

_OBJECTS_BETWEEN_LOOKS = 50_000


def main() -> None:
    """Run the command line; every error becomes a message, a hint and an exit code."""
    # What a command imports stays: looking through it for garbage takes a tenth of a short one.
    gc.set_threshold(_OBJECTS_BETWEEN_LOOKS)
    try:
        with closing():
            app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001  The last border: nothing is swallowed, all is told.
        sys.exit(report(error, as_json="--json" in sys.argv))
