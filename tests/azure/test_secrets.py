from __future__ import annotations

from remora.azure.app_keys import API_KEY, SECOND_API_KEY, read_secrets
from remora.azure.secrets import set_secrets
from remora.targets.azure import AzureTarget
from tests.azure.running_apps import GROUP, Azure
from tests.azure.test_target import APP, RUNS, azure, pytestmark, target

__all__ = ["azure", "pytestmark", "target"]  # fixtures, and where they can't run


def test_a_secret_is_added_and_the_others_stay(azure: Azure, target: AzureTarget) -> None:
    azure.put(APP, probes=[], scale=RUNS)
    before = azure.revision(APP).name
    values = {API_KEY: "new", SECOND_API_KEY: "old"}
    set_secrets(target.clients, GROUP, APP, values, keeps_serving=True)
    assert read_secrets(target.clients, GROUP, APP) == {"key": "hush", **values}
    assert azure.revision(APP).name != before
    container = azure.revision(APP).properties.template.containers[0]
    variables = {one.name: one.secret_ref or one.value for one in container.env}
    assert variables == {
        "KEY": "key",
        "PLAIN": "text",
        "REMORA_API_KEY": API_KEY,
        "REMORA_API_KEY_2": SECOND_API_KEY,
    }


def test_a_new_value_needs_no_revision(azure: Azure, target: AzureTarget) -> None:
    azure.put(APP, probes=[], scale=RUNS)
    set_secrets(target.clients, GROUP, APP, {API_KEY: "first"}, keeps_serving=False)
    before = azure.revision(APP).name
    set_secrets(target.clients, GROUP, APP, {API_KEY: "second"}, keeps_serving=False)
    assert azure.revision(APP).name == before
    assert read_secrets(target.clients, GROUP, APP)[API_KEY] == "second"
