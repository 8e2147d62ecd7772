"""``remora front``: an endpoint that answers while the server behind it sleeps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from remora.cli.options import SERVER, AdminKeyFile, AsJson, LeastLevel, WithUi, logging_level
from remora.cli.output import Output
from remora.errors import ConfigError

if TYPE_CHECKING:
    from remora.reconcile.released import ReleasedModels

_SLEEP = "Sleeping and waking"


def front(
    upstream: Annotated[
        str,
        typer.Option(
            envvar="REMORA_UPSTREAM", help="Address of the `remora serve` that it stands before."
        ),
    ],
    share: Annotated[
        Path | None,
        typer.Option(
            envvar="REMORA_SHARE",
            help="Folder of the share that is served there: its release is listed while it sleeps.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. Any that others can reach needs an API key: one is made,"
            " and printed once, if none is given.",
            rich_help_panel=SERVER,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="Port to listen on; 0 takes a free one.", rich_help_panel=SERVER
        ),
    ] = 7860,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            help="File with API keys, one a line. Else REMORA_API_KEY and REMORA_API_KEY_2 are"
            " read.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    admin_key_file: AdminKeyFile = None,
    upstream_key_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the API key of the server behind it. Else REMORA_UPSTREAM_KEY is read."
            " Without one, a request is handed on with the client's own, which both must know.",
            rich_help_panel=SERVER,
        ),
    ] = None,
    cooldown: Annotated[
        float,
        typer.Option(
            envvar="REMORA_COOLDOWN",
            min=0,
            help="Seconds after the last request that the server goes to sleep; 0: never.",
            rich_help_panel=_SLEEP,
        ),
    ] = 300.0,
    patience: Annotated[
        float,
        typer.Option(
            min=0,
            help="Seconds that a request which is not streamed waits for the server to wake.",
            rich_help_panel=_SLEEP,
        ),
    ] = 200.0,
    wake_limit: Annotated[
        float,
        typer.Option(min=1, help="Seconds that a wake may take.", rich_help_panel=_SLEEP),
    ] = 1200.0,
    max_waiting: Annotated[
        int,
        typer.Option(
            min=0, help="Requests that may wait for the server to wake.", rich_help_panel=_SLEEP
        ),
    ] = 256,
    max_hours_awake: Annotated[
        float,
        typer.Option(
            envvar="REMORA_MAX_HOURS_AWAKE",
            min=0,
            max=24,
            help="Hours of a day (UTC) that the server may be awake; 0: any.",
            rich_help_panel=_SLEEP,
        ),
    ] = 0.0,
    busy: Annotated[
        int,
        typer.Option(
            envvar="REMORA_BUSY",
            min=1,
            help="Requests at once at which a replica gets no more for the sake of an adapter that"
            " it has loaded.",
            rich_help_panel=_SLEEP,
        ),
    ] = 32,
    linger: Annotated[
        float,
        typer.Option(
            envvar="REMORA_LINGER",
            min=0,
            help="Seconds that new requests are still answered after a SIGTERM: those who send them"
            " may not have heard of it.",
            rich_help_panel=SERVER,
        ),
    ] = 0.0,
    drain_timeout: Annotated[
        float,
        typer.Option(
            envvar="REMORA_DRAIN_TIMEOUT",
            min=0,
            help="Seconds that answers under way, and requests that wait for the server to wake,"
            " then get to end.",
            rich_help_panel=SERVER,
        ),
    ] = 30.0,
    log_level: LeastLevel = None,
    with_ui: WithUi = True,
    json: AsJson = False,
) -> None:
    """Stand before a `remora serve` that may sleep: check keys, list models, wake it, wait for it.

    It needs neither GPU nor PyTorch. On Azure Container Apps it is what the world reaches, while
    the app with the GPU is reached by it alone, and costs nothing at zero replicas.
    """
    from remora.backends.upstream.backend import UpstreamBackend
    from remora.backends.upstream.options import UpstreamOptions
    from remora.cli.keys import keys_for, read_keys
    from remora.cli.launch import interface_maker, tell_key
    from remora.gateway.logs import log_as_json
    from remora.gateway.routes.front import FRONT_ROUTES
    from remora.gateway.server import Server, bind, url_of
    from remora.gateway.settings import GatewaySettings

    log_as_json(level=logging_level(log_level))
    output = Output(json)
    keys = keys_for(
        host,
        read_keys("REMORA_API_KEY", api_key_file),
        read_keys("REMORA_ADMIN_KEY", admin_key_file),
    )
    own = read_keys("REMORA_UPSTREAM_KEY", upstream_key_file)
    options = UpstreamOptions(
        url=upstream,
        keys=keys.api,
        key=own[0] if own else "",
        cooldown=cooldown,
        patience=patience,
        wake_limit=wake_limit,
        max_waiting=max_waiting,
        max_hours_awake=max_hours_awake,
        busy=busy,
    )
    backend = UpstreamBackend(options, _released(share) if share else None)
    listener = bind(host, port)
    url = url_of(listener)
    output.say("listening", url=url, host=host, upstream=upstream)
    tell_key(output, keys)
    server = Server(
        backend,
        GatewaySettings(
            api_keys=keys.api, admin_keys=keys.admin, linger=linger, drain_timeout=drain_timeout
        ),
        listener,
        lambda url: output.say("ready", f"The front is ready at {url}. Ctrl-C stops it.", url=url),
        make_interface=interface_maker(url) if with_ui else None,
        routes=FRONT_ROUTES,
    )
    server.run()
    output.say("stopped", "Stopped.")


def _released(folder: Path) -> ReleasedModels:
    """The share's models, as far as it can be read now. Raises `ConfigError` if it is no folder."""
    from remora.reconcile.released import ReleasedModels
    from remora.release.directory_share import DirectoryShare

    if not folder.is_dir():
        raise ConfigError(
            f"The share {folder} is not a folder", hint="Is it mounted? --share names another."
        )
    return ReleasedModels(DirectoryShare(folder))
