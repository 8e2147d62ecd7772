"""The bodies of the admin API."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from remora.gateway.protocol.body import Body

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
AdapterName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
AdapterPath = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class ReplaceAdapterBody(Body):
    """Where the adapter's folder is, as the server sees it."""

    path: AdapterPath


class AddAdapterBody(ReplaceAdapterBody):
    """A new adapter; ``replace`` permits that the name is taken."""

    name: AdapterName = Field(description="What requests will write into 'model'.")
    replace: bool | None = None
