"""``remora serve``: base and adapters of a project behind an endpoint on this machine."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from remora.cli.options import SERVER, AdminKeyFile, AsJson, LeastLevel, WithUi, logging_level
from remora.cli.output import Output

_ENGINE = "Engine"


def serve(
    project: Annotated[
        Path | None,
        typer.Argument(help="Folder of the project. Default: this folder, unless --base is given."),
    ] = None,
    base: Annotated[Path | None, typer.Option(help="Folder of the base model.")] = None,
    adapter: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=DIR", help="An adapter; may be given many times."),
    ] = None,
    merge: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Merge this adapter into the base's weights, and serve nothing else.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name to serve the base model under.")] = None,
    share: Annotated[
        Path | None,
        typer.Option(
            envvar="REMORA_SHARE",
            help="Folder of a share: serve its current release, and follow it.",
        ),
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(
            envvar="REMORA_STATE",
            help="With --share: folder on a local disk for what the next start can use again."
            " Default: a temporary one.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(
            help="Address to listen on (127.0.0.1). Any that others can reach needs an API key:"
            " one is made, and printed once, if none is given.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Port to listen on (7860); 0 takes a free one.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            help="File with API keys, one a line. Else the variable REMORA_API_KEY is read.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    admin_key_file: AdminKeyFile = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(help="Another variable than REMORA_API_KEY.", rich_help_panel=SERVER),
    ] = None,
    admin_key_env: Annotated[
        str | None,
        typer.Option(help="Another variable than REMORA_ADMIN_KEY.", rich_help_panel=SERVER),
    ] = None,
    log_level: LeastLevel = None,
    dtype: Annotated[
        str | None,
        typer.Option(help="auto, bfloat16, float16 or float32.", rich_help_panel=_ENGINE),
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu or cuda.", rich_help_panel=_ENGINE)
    ] = None,
    context_length: Annotated[
        int | None,
        typer.Option(help="Tokens of prompt and answer together.", rich_help_panel=_ENGINE),
    ] = None,
    kv_cache_tokens: Annotated[
        int | None,
        typer.Option(help="Tokens in the KV cache, of all requests.", rich_help_panel=_ENGINE),
    ] = None,
    max_batch_size: Annotated[
        int | None, typer.Option(help="Requests that run at once.", rich_help_panel=_ENGINE)
    ] = None,
    max_queue: Annotated[
        int | None, typer.Option(help="Requests that may wait.", rich_help_panel=_ENGINE)
    ] = None,
    max_resident_adapters: Annotated[
        int | None, typer.Option(help="Adapters kept in memory.", rich_help_panel=_ENGINE)
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="CPU threads of one step.", rich_help_panel=_ENGINE)
    ] = None,
    generation_config: Annotated[
        bool | None,
        typer.Option(
            "--generation-config/--no-generation-config",
            help="Take the sampling that a request leaves out from the model's"
            " generation_config.json (the default).",
            rich_help_panel=_ENGINE,
        ),
    ] = None,
    trust_remote_code: Annotated[
        bool | None,
        typer.Option(
            "--trust-remote-code",
            help="Let a model run Python code that comes with it. Read that code before.",
            rich_help_panel=_ENGINE,
        ),
    ] = None,
    until_stdin_ends: Annotated[
        bool,
        typer.Option(
            "--until-stdin-ends",
            help="Stop when standard input ends, as it does with the program that started this.",
            rich_help_panel=SERVER,
        ),
    ] = False,
    with_ui: WithUi = True,
    json: AsJson = False,
) -> None:
    """Serve a base model and its adapters behind an OpenAI-compatible endpoint.

    A project is a folder with remora.toml, with AI Toolkit's layout, or with a base model and
    adapters in it. Options win over remora.toml, which explains them all.

    With --share, what `remora deploy` has published there is served; of the project only what
    remora.toml says of the server is read.
    """
    from remora.cli.launch import launch
    from remora.cli.plan import make_plan, make_release_plan
    from remora.cli.released import refuse_decided, released

    model = {
        "name": name,
        "dtype": dtype,
        "device": device,
        "context_length": context_length,
        "generation_config": generation_config,
        "trust_remote_code": trust_remote_code,
    }
    engine = {
        "kv_cache_tokens": kv_cache_tokens,
        "max_batch_size": max_batch_size,
        "max_queue": max_queue,
        "max_resident_adapters": max_resident_adapters,
        "threads": threads,
    }
    server = {
        "host": host,
        "port": port,
        "api_key_env": api_key_env,
        "admin_key_env": admin_key_env,
    }
    keys = {"api_key_file": api_key_file, "admin_key_file": admin_key_file}
    with ExitStack() as stack:
        if share is not None:
            refuse_decided({"base": base, "adapter": adapter, "merge": merge, **model, **engine})
            start = stack.enter_context(released(share, state))
            plan = make_release_plan(start, project, server=server, **keys)
        else:
            plan = make_plan(
                project,
                base=base,
                adapters=adapter or [],
                model=model,
                engine=engine,
                server=server,
                merge=merge,
                **keys,
            )
        code = launch(
            plan,
            Output(json),
            log_level=logging_level(log_level),
            until_stdin_ends=until_stdin_ends,
            with_ui=with_ui,
        )
    raise typer.Exit(code)
