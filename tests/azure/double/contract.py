"""Where bodies meet the strict contracts of Azure's types."""

from __future__ import annotations

from typing import Any

from tests.azure import contracts
from tests.azure.double.environments import JOBS
from tests.azure.double.errors import ContractError


def check_body(resource_type: str, name: str, api_version: str, body: Any) -> None:
    """Raises `ContractError` for a body that Azure's contracts refuse.

    Jobs are the fine-tuning step's: nothing here sends one.
    """
    if resource_type == JOBS:
        return
    if not isinstance(body, dict):
        raise ContractError(f"{resource_type}: the body is no JSON object.")
    found = contracts.violations(resource_type, name, body, api_version)
    if found:
        raise ContractError("; ".join(found))
