"""The extension in a real VS Code, over a double of Azure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.azure.double.server import AzureDouble
from tests.azure.signed_in import variables
from tests.editors import walk
from tests.editors.workbench import copy_of_demo, editor, status, why_not
from tests.ui.browser import LIMIT, chromium

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
expect.set_options(timeout=LIMIT)
GROUP = "team"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[AzureDouble]:
    """Two subscriptions, one with a resource group."""
    with AzureDouble(tmp_path / "azure") as found:
        found.state.group(GROUP)
        found.state.subscription("Other", "11111111-2222-3333-4444-555555555555")
        yield found
        assert not found.violations


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_of_demo(tmp_path / "demo")


@pytest.fixture
def page(project: Path, double: AzureDouble, tmp_path: Path) -> Iterator[Page]:
    if why := why_not():
        pytest.skip(why)
    if chromium() is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with editor(tmp_path / "editor", project, variables(double, tmp_path)) as shown:
        yield shown


def test_what_inference_needs_is_provisioned_and_taken_away(
    page: Page, project: Path, double: AzureDouble
) -> None:
    def draw(_page: Page, _name: str) -> None:
        """Pictures are for the docs."""

    walk.provision(page, "Team", GROUP, draw)
    config = json.loads((project / "infra" / "inference.config.json").read_text("utf-8"))
    assert config["RESOURCE_GROUP_NAME"] == GROUP
    assert config["ACA_APP_ENDPOINT"]
    assert any("containerapps" in name.lower() for name in double.state.resources)
    expect(status(page)).to_contain_text("Remora: asleep")
    walk.take_away(page)
    assert not any("containerapps" in name.lower() for name in double.state.resources)
