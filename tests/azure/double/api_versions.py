"""The API versions that Azure knows of each type, as far as they are stable."""

from __future__ import annotations

from tests.azure.contracts import API_VERSIONS
from tests.azure.double.errors import ContractError

_RESOURCES = frozenset(
    {"2021-04-01", "2022-09-01", "2023-07-01", "2024-03-01", "2024-07-01", "2024-11-01"}
    | {"2025-03-01", "2025-04-01", "2026-06-01"}
)
_SUBSCRIPTIONS = frozenset({"2020-01-01", "2021-01-01", "2022-12-01"})


def _of_contracts(namespace: str) -> frozenset[str]:
    found = [v for kind, v in API_VERSIONS.items() if kind.startswith(f"{namespace}/")]
    return frozenset(version for versions in found for version in versions)


_KNOWN = {
    "microsoft.resources/subscriptions": _SUBSCRIPTIONS,
    "microsoft.resources/tenants": _SUBSCRIPTIONS,
    "microsoft.resources": _RESOURCES,
    "microsoft.app": _of_contracts("Microsoft.App"),
    "microsoft.storage": _of_contracts("Microsoft.Storage"),
    "microsoft.operationalinsights": _of_contracts("Microsoft.OperationalInsights"),
    "microsoft.authorization": frozenset({"2015-07-01", "2018-07-01", "2022-04-01"}),
}


def check(resource_type: str, api_version: str) -> None:
    """Raises `ContractError` where Azure doesn't know the version for ``Namespace/type``."""
    if not api_version:
        raise ContractError(
            "The api-version query parameter (?api-version=) is required for all requests.",
            "MissingApiVersionParameter",
        )
    name = resource_type.lower()
    known = _KNOWN.get(name) or _KNOWN.get(name.partition("/")[0])
    if known is None:
        raise ContractError(
            f"The resource type '{resource_type}' could not be found.", "InvalidResourceType", 404
        )
    if api_version not in known:
        raise ContractError(
            f"No registered resource provider found for API version '{api_version}' for type "
            f"'{resource_type}'. The supported api-versions are '{', '.join(sorted(known))}'.",
            "NoRegisteredProviderFound",
        )
