"""The share that a project's configuration names, with what opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from remora.azure.failures import azure_errors
from remora.errors import AzureDenied

if TYPE_CHECKING:
    from remora.azure.clients import Clients
    from remora.azure.file_share import AzureFileShare


def open_share(clients: Clients, group: str, account: str, share: str) -> AzureFileShare:
    """The share, by the account's key; by the user's own roles where keys are not to be had."""
    from remora.azure.file_share import AzureFileShare

    with azure_errors(f"looking at the storage account {account}"):
        found: Any = clients.storage.storage_accounts.get_properties(group, account)
    endpoint = found.properties.primary_endpoints.file
    credential: Any = clients.credential
    if found.properties.allow_shared_key_access is not False:
        credential = _key(clients, group, account) or clients.credential
    return AzureFileShare(endpoint, share, credential, transport=clients.shared_transport)


def _key(clients: Clients, group: str, account: str) -> str | None:
    """The account's first key; None if this user may not see it."""
    try:
        with azure_errors(f"reading the keys of the storage account {account}"):
            keys: Any = clients.storage.storage_accounts.list_keys(group, account)
    except AzureDenied:
        return None
    return next((str(one.value) for one in keys["keys"] or () if one.value), None)
