"""The Azure double for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.azure.double.sdk import Clients
from tests.azure.double.sdk import clients as clients_of
from tests.azure.double.server import AzureDouble
from tests.cli.conftest import remora

__all__ = ["clients", "double", "remora"]  # fixtures


@pytest.fixture
def double(tmp_path: Path) -> Iterator[AzureDouble]:
    """A double with one subscription. The test fails if what it sent breaks Azure's contracts."""
    with AzureDouble(tmp_path / "azure") as running:
        yield running
        assert not running.violations


@pytest.fixture
def clients(double: AzureDouble) -> Iterator[Clients]:
    with clients_of(double) as made:
        yield made
