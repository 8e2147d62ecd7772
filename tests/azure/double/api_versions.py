"""The API versions that Azure knows of each type, as far as they are stable."""

from __future__ import annotations

from tests.azure.double.errors import ContractError

_RESOURCES = frozenset(
    {"2021-04-01", "2022-09-01", "2023-07-01", "2024-03-01", "2024-07-01", "2024-11-01"}
    | {"2025-03-01", "2025-04-01", "2026-06-01"}
)
_APP = frozenset({"2024-03-01", "2025-01-01", "2025-07-01", "2026-01-01", "2026-07-01"})
_STORAGE = frozenset(
    {"2022-09-01", "2023-01-01", "2023-04-01", "2023-05-01", "2024-01-01", "2025-01-01"}
    | {"2025-06-01", "2026-09-01"}
)
_KNOWN = {
    "microsoft.resources/subscriptions": frozenset({"2020-01-01", "2021-01-01", "2022-12-01"}),
    "microsoft.resources/tenants": frozenset({"2020-01-01", "2021-01-01", "2022-12-01"}),
    "microsoft.resources": _RESOURCES,
    "microsoft.app": _APP,
    "microsoft.storage": _STORAGE,
    "microsoft.operationalinsights": frozenset(
        {"2022-10-01", "2023-09-01", "2025-02-01", "2025-07-01"}
    ),
    "microsoft.authorization": frozenset({"2015-07-01", "2018-07-01", "2022-04-01"}),
}  # fmt: skip


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
