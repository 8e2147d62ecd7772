"""The extension in a real VS Code, over a double of Azure whose container apps run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.azure.double.runtime import sandbox
from tests.editors import walk
from tests.editors.workbench import copy_of_demo, editor, notification, press, why_not
from tests.end_to_end.azure_cloud import GROUP, Cloud, cloud, container_section
from tests.ui.browser import LIMIT, chromium

REASON = sandbox.unavailable()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(REASON is not None, reason=str(REASON)),
]
expect.set_options(timeout=LIMIT)


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Cloud]:
    """A group in which a model was fine-tuned, and a second subscription."""
    project = copy_of_demo(tmp_path / "demo")
    with (project / "remora.toml").open("a", encoding="utf-8") as file:
        file.write(container_section())
    with cloud(tmp_path / "cloud", project) as found:
        found.double.state.subscription("Other", "11111111-2222-3333-4444-555555555555")
        yield found


@pytest.fixture
def page(azure: Cloud, tmp_path: Path) -> Iterator[Page]:
    if why := why_not():
        pytest.skip(why)
    if chromium() is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    variables = {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential", **azure.variables}
    with editor(tmp_path / "editor", azure.project, variables) as shown:
        yield shown


def key_of(azure: Cloud) -> str:
    """The endpoint's API key, which provisioning made."""
    for one in azure.double.state.resources.values():
        configuration = one.body.get("properties", {}).get("configuration", {})
        for secret in configuration.get("secrets") or ():
            if secret["name"] == "api-key":
                return str(secret["value"])
    raise AssertionError("no app has a key")


def test_a_fine_tuned_adapter_is_talked_to_on_azure(page: Page, azure: Cloud) -> None:
    def draw(_page: Page, _name: str) -> None:
        """Pictures are for the docs."""

    walk.provision(page, "Team", GROUP, draw)
    press(notification(page, "Provisioning done."), "Deploy for inference")
    done = notification(page, "Deployment done.", seconds=240)
    expect(page.get_by_role("treeitem", name="pirate ready")).to_be_visible(
        timeout=60_000  # The view looks every 20 s.
    )
    with page.context.expect_page() as opened:
        press(done, "Go to Inference Endpoint")
    pages = opened.value
    pages.get_by_label("API key").fill(key_of(azure))
    pages.keyboard.press("Enter")
    assert pages.url.startswith("https://127.0.0.1:")
    walk.ask(pages)
    pages.close()
    walk.take_away(page)
