"""Azure's own clients, made in one place: one sign-in, one pool of connections, bounded retries."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from remora import __version__
from remora.azure.credential import SharedCredential, credential
from remora.azure.failures import azure_errors
from remora.errors import ConfigError

if TYPE_CHECKING:
    from azure.core.pipeline.transport import RequestsTransport
    from azure.mgmt.appcontainers import ContainerAppsAPIClient
    from azure.mgmt.resource.deployments import DeploymentsMgmtClient
    from azure.mgmt.resource.resources import ResourceManagementClient
    from azure.mgmt.resource.subscriptions import SubscriptionClient
    from azure.mgmt.storage import StorageManagementClient

ARM_VARIABLE = "REMORA_ARM_ENDPOINT"
ARM = "https://management.azure.com"
POLL = 5  # s between looks at a long operation where Azure does not say how long to wait


class Clients:
    """Clients of one subscription, each made when it is first used."""

    def __init__(
        self, signed_in: SharedCredential, transport: RequestsTransport, subscription: str = ""
    ) -> None:
        self.credential = signed_in
        self.transport = transport
        self.subscription = subscription

    def of(self, subscription: str) -> Clients:
        """The clients of another subscription, with the same sign-in and connections."""
        return Clients(self.credential, self.transport, subscription)

    @cached_property
    def apps(self) -> ContainerAppsAPIClient:
        from azure.mgmt.appcontainers import ContainerAppsAPIClient

        return ContainerAppsAPIClient(self.credential, self.subscription, **self._options)

    @cached_property
    def deployments(self) -> DeploymentsMgmtClient:
        from azure.mgmt.resource.deployments import DeploymentsMgmtClient

        return DeploymentsMgmtClient(self.credential, self.subscription, **self._options)

    @cached_property
    def resources(self) -> ResourceManagementClient:
        from azure.mgmt.resource.resources import ResourceManagementClient

        return ResourceManagementClient(self.credential, self.subscription, **self._options)

    @cached_property
    def storage(self) -> StorageManagementClient:
        from azure.mgmt.storage import StorageManagementClient

        return StorageManagementClient(self.credential, self.subscription, **self._options)

    @cached_property
    def subscriptions(self) -> SubscriptionClient:
        from azure.mgmt.resource.subscriptions import SubscriptionClient

        return SubscriptionClient(self.credential, **self._options)

    @property
    def shared_transport(self) -> Any:
        """The connections, for a client that would close its own."""
        return _Kept(self.transport)

    @property
    def _options(self) -> dict[str, Any]:
        arm = arm_endpoint()
        return {
            "base_url": arm,
            "credential_scopes": [f"{arm}/.default"],
            "transport": self.shared_transport,
            "user_agent": f"remora/{__version__}",
            "polling_interval": POLL,
            "retry_total": 5,
            "retry_backoff_max": 30,
        }


class _Kept:
    """A transport that outlives each of the clients that share it."""

    def __init__(self, transport: RequestsTransport) -> None:
        self._transport = transport

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Whoever made the transport closes it."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def arm_endpoint() -> str:
    """Address of Azure Resource Manager; clouds of their own have another."""
    return os.environ.get(ARM_VARIABLE, ARM).rstrip("/")


@contextmanager
def azure_clients(subscription: str = "") -> Iterator[Clients]:
    """Clients for the signed-in user; the connections end with the block.

    Raises `ConfigError` without the extra ``azure``; failures inside become `AzureError`.
    """
    try:
        from azure.core.pipeline.transport import RequestsTransport
    except ModuleNotFoundError as error:
        raise ConfigError(
            "Azure's libraries are not installed", hint="`pip install 'remora-serve[azure]'`"
        ) from error
    # Errors are told once, by whoever ends the command; without a handler Python prints the logs.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    with (
        credential() as signed_in,
        RequestsTransport(connection_verify=_authorities()) as transport,
        azure_errors("Azure"),
    ):
        yield Clients(signed_in, transport, subscription)


def _authorities() -> str | bool:
    """Certificates to trust: a file of the user's, or the usual ones."""
    return (
        os.environ.get("REQUESTS_CA_BUNDLE")
        or os.environ.get("SSL_CERT_FILE")
        or os.environ.get("CURL_CA_BUNDLE")
        or True
    )
