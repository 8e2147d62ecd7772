"""What a template is deployed into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Environment(Protocol):
    """A resource group, and what exists in Azure at the moment.

    ``reference`` and ``list_keys`` raise ``Unresolved`` where the resource does not exist yet.
    """

    @property
    def subscription_id(self) -> str:
        """The subscription's id."""

    @property
    def tenant_id(self) -> str:
        """The id of the subscription's tenant."""

    @property
    def resource_group(self) -> str:
        """The group's name."""

    @property
    def location(self) -> str:
        """The group's region."""

    def reference(self, resource_id: str, api_version: str, full: bool) -> Mapping[str, Any]:
        """A resource as it is now: all of it, or its ``properties``."""

    def list_keys(self, resource_id: str, api_version: str) -> Mapping[str, Any]:
        """What the resource's action ``listKeys`` answers."""

    def group(self, name: str) -> Environment:
        """Another resource group of the subscription."""
