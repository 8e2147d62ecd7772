"""Azure's own clients, pointed at the double."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from azure.core.credentials import AccessToken
from azure.mgmt.appcontainers import ContainerAppsAPIClient
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.subscriptions import SubscriptionClient
from azure.mgmt.storage import StorageManagementClient

from tests.azure.double.server import AzureDouble
from tests.azure.double.state import SUBSCRIPTION


class Token:
    """A credential that is always signed in."""

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken("token", int(time.time()) + 3600)


@dataclass(frozen=True)
class Clients:
    """Untyped, so that a test sends and reads plain JSON."""

    apps: Any
    deployments: Any
    resources: Any
    storage: Any
    subscriptions: Any


@contextmanager
def clients(double: AzureDouble, subscription: str = SUBSCRIPTION) -> Iterator[Clients]:
    """The clients that the product uses, closed at the end."""
    options: dict[str, Any] = {
        "base_url": double.endpoint,
        "credential_scopes": [f"{double.endpoint}/.default"],
        "connection_verify": str(double.certificate),
        "retry_backoff_factor": 0,
        # A client asks this often where Azure doesn't say how long to wait.
        "polling_interval": 0.01,
    }
    token = Token()
    with ExitStack() as stack:
        yield Clients(
            stack.enter_context(ContainerAppsAPIClient(token, subscription, **options)),
            stack.enter_context(DeploymentsMgmtClient(token, subscription, **options)),
            stack.enter_context(ResourceManagementClient(token, subscription, **options)),
            stack.enter_context(StorageManagementClient(token, subscription, **options)),
            stack.enter_context(SubscriptionClient(token, **options)),
        )


def invented(found: Any, where: str = "") -> list[str]:
    """Properties of an answer that Azure's own models don't have, each with its place."""
    if isinstance(found, list):
        return [name for item in found for name in invented(item, where)]
    fields = getattr(found, "_attr_to_rest_field", None)
    if fields is None:
        return []
    where = where or type(found).__name__
    known = {field._rest_name for field in fields.values()}
    here = [f"{where}.{name}" for name in found if name not in known]
    inner = (invented(getattr(found, name), f"{where}.{name}") for name in fields)
    return here + [name for names in inner for name in names]
