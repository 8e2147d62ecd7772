"""Keys of the endpoint, which live as secrets of the apps and nowhere else."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from remora.azure.failures import azure_errors

if TYPE_CHECKING:
    from remora.azure.clients import Clients

API_KEY = "api-key"
SECOND_API_KEY = "api-key-2"  # valid beside the first while keys are exchanged
ADMIN_KEY = "admin-key"
HF_TOKEN = "hf-token"  # noqa: S105  The name of a secret.


@dataclass(frozen=True, slots=True)
class AppKeys:
    """``made`` says that the API key is new: its user has not seen it yet."""

    api: str = field(repr=False)
    admin: str = field(repr=False)
    second_api: str = field(default="", repr=False)
    hf_token: str = field(default="", repr=False)
    made: bool = False


def read_secrets(clients: Clients, group: str, app: str) -> dict[str, str]:
    """The secrets of an app by name; empty if there is no such app."""
    from azure.core.exceptions import ResourceNotFoundError

    with azure_errors(f"reading the secrets of {app}"):
        try:
            found = clients.apps.container_apps.list_secrets(group, app)
        except ResourceNotFoundError:
            return {}
        return {str(one.name): one.value for one in found.value if one.value}


def keys_from(known: dict[str, str], hf_token: str = "") -> AppKeys:
    """The keys that an app has; those that it lacks are made. A given token replaces the app's."""
    return AppKeys(
        api=known.get(API_KEY) or secrets.token_urlsafe(32),
        admin=known.get(ADMIN_KEY) or secrets.token_urlsafe(32),
        second_api=known.get(SECOND_API_KEY, ""),
        hf_token=hf_token or known.get(HF_TOKEN, ""),
        made=API_KEY not in known,
    )
