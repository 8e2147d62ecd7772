"""The Azure double answers Azure's own clients as Azure does, and refuses what Azure refuses."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import AzureCliCredential
from azure.storage.fileshare import ShareFileClient

from tests.azure.arm_requests import ACCOUNT, GROUP, NAMES, PLACE, app_body, resource_id
from tests.azure.double import fake_az
from tests.azure.double.sdk import Clients
from tests.azure.double.seed import DEDICATED, SERVERLESS, fine_tuning
from tests.azure.double.server import AzureDouble
from tests.azure.double.state import A100, SUBSCRIPTION, T4


@pytest.fixture(autouse=True)
def group(double: AzureDouble) -> None:
    double.state.group(GROUP)


def test_subscriptions_and_groups(double: AzureDouble, clients: Clients) -> None:
    assert [found.display_name for found in clients.subscriptions.subscriptions.list()] == ["Team"]
    assert next(iter(clients.subscriptions.tenants.list())).tenant_id == double.state.tenant
    names = {
        found.name for found in clients.subscriptions.subscriptions.list_locations(SUBSCRIPTION)
    }
    assert "westus3" in names
    made = clients.resources.resource_groups.create_or_update("new", {"location": "eastus"})
    assert made.properties is not None
    assert made.properties.provisioning_state == "Succeeded"
    assert clients.resources.resource_groups.check_existence("NEW")
    with pytest.raises(ResourceExistsError, match="InvalidResourceGroupLocation"):
        clients.resources.resource_groups.create_or_update("new", {"location": "westus"})
    clients.resources.resource_groups.begin_delete("new").result()
    assert not clients.resources.resource_groups.check_existence("new")


def test_long_lists_come_in_pages(double: AzureDouble, clients: Clients) -> None:
    double.page(2)
    names = [GROUP, *(double.state.group(f"group{number}").name for number in range(4))]
    assert [group.name for group in clients.resources.resource_groups.list()] == names
    assert [request.status for request in double.requests] == [200] * 3


def test_a_provider_is_registered(double: AzureDouble, clients: Clients) -> None:
    double.state.subscriptions[SUBSCRIPTION].providers["Microsoft.App"] = "NotRegistered"
    providers = clients.resources.providers
    assert providers.get("Microsoft.App").registration_state == "NotRegistered"
    with pytest.raises(ResourceExistsError, match="MissingSubscriptionRegistration"):
        clients.apps.managed_environments.begin_create_or_update(
            GROUP, "env", {**PLACE, "properties": {}}
        )
    assert providers.register("microsoft.app").registration_state == "Registering"
    states = [providers.get("Microsoft.App").registration_state for _ in range(2)]
    assert states == ["Registering", "Registered"]


def test_storage(double: AzureDouble, clients: Clients) -> None:
    accounts, shares = clients.storage.storage_accounts, clients.storage.file_shares
    name = {"name": "aistorageabcde", "type": "Microsoft.Storage/storageAccounts"}
    assert accounts.check_name_availability(name).name_available
    made = accounts.begin_create(GROUP, "aistorageabcde", ACCOUNT).result()
    assert made.properties is not None
    assert made.properties.provisioning_state == "Succeeded"
    assert accounts.check_name_availability(name).reason == "AlreadyExists"
    assert len(accounts.list_keys(GROUP, "aistorageabcde")["keys"]) == 2
    shares.create(GROUP, "aistorageabcde", "files", {"properties": {"shareQuota": 1024}})
    assert [share.name for share in shares.list(GROUP, "aistorageabcde")] == ["files"]
    files = double.state.share_folder("aistorageabcde", "files")
    key = accounts.list_keys(GROUP, "aistorageabcde")["keys"][0].value
    with ShareFileClient(
        made.properties.primary_endpoints.file,
        "files",
        "hello.txt",
        credential=key,
        connection_verify=str(double.certificate),
    ) as file:
        file.upload_file(b"hello")
    assert (files / "hello.txt").read_bytes() == b"hello"
    accounts.delete(GROUP, "aistorageabcde")
    with pytest.raises(ResourceNotFoundError):
        shares.get(GROUP, "aistorageabcde", "files")


@pytest.mark.parametrize("profile", [DEDICATED, SERVERLESS])
def test_what_fine_tuning_leaves(
    double: AzureDouble, clients: Clients, profile: dict[str, Any]
) -> None:
    fine_tuning(double.state, GROUP, NAMES, profile)
    found = {item.name for item in clients.resources.resources.list_by_resource_group(GROUP)}
    assert found == {NAMES.account, NAMES.workspace, NAMES.environment, NAMES.job}
    environment = clients.apps.managed_environments.get(GROUP, NAMES.environment)
    assert environment.properties is not None
    names = [profile.name for profile in environment.properties.workload_profiles or []]
    assert names == ["Consumption", "GPU"]
    storage = clients.apps.managed_environments_storages.get(
        GROUP, NAMES.environment, NAMES.storage
    )
    assert storage.properties is not None
    assert storage.properties.azure_file is not None
    assert storage.properties.azure_file.account_key is None
    profiles = {item.name for item in clients.apps.available_workload_profiles.get("westus3")}
    assert {A100, T4, "Consumption"} <= profiles
    quotas = {item.name.value: item.limit for item in clients.apps.usages.list("westus3")}
    assert quotas["SubscriptionConsumptionNCA100Gpus"] == 1


def test_a_container_app_and_its_revisions(double: AzureDouble, clients: Clients) -> None:
    fine_tuning(double.state, GROUP, NAMES, SERVERLESS)
    apps, revisions = clients.apps.container_apps, clients.apps.container_apps_revisions
    made = apps.begin_create_or_update(GROUP, "app", app_body()).result()
    assert made.properties is not None
    assert made.properties.configuration is not None
    assert made.properties.configuration.secrets is not None
    assert made.properties.configuration.secrets[0].value is None
    assert apps.list_secrets(GROUP, "app").value[0].value == "hush"
    first = made.properties.latest_revision_name
    again = apps.begin_create_or_update(GROUP, "app", app_body()).result()
    assert again.properties is not None
    assert again.properties.latest_revision_name == first
    scale = {"minReplicas": 0, "maxReplicas": 2}
    changed = apps.begin_create_or_update(GROUP, "app", app_body(scale=scale)).result()
    assert changed.properties is not None
    assert changed.properties.latest_revision_name != first
    active = [found.name for found in revisions.list_revisions(GROUP, "app")
              if found.properties and found.properties.active]  # fmt: skip
    assert active == [changed.properties.latest_revision_name]
    assert active[0] is not None
    revisions.restart_revision(GROUP, "app", active[0])
    tagged = clients.resources.resources.list(filter="tagName eq 'made-by' and tagValue eq 'test'")
    assert [item.name for item in tagged] == ["app"]
    with pytest.raises(ResourceExistsError, match="ManagedEnvironmentHasContainerApps"):
        clients.apps.managed_environments.begin_delete(GROUP, NAMES.environment)
    tags = apps.begin_update(GROUP, "app", {**PLACE, "tags": {"more": "yes"}}).result().tags
    assert tags == {"made-by": "test", "more": "yes"}
    apps.begin_delete(GROUP, "app").result()
    assert not list(apps.list_by_resource_group(GROUP))
    with pytest.raises(ResourceNotFoundError):
        revisions.get_revision(GROUP, "app", active[0])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"gpu_quota": {}}, "QuotaExceeded"),
        ({"profiles": {"westus3": ()}}, "WorkloadProfileNotSupportedInRegion"),
    ],
)
def test_gpus_that_are_not_to_be_had(
    double: AzureDouble, clients: Clients, change: dict[str, Any], code: str
) -> None:
    for name, value in change.items():
        setattr(double.state, name, value)
    body = {**PLACE, "properties": {"workloadProfiles": [
        {"name": "Consumption", "workloadProfileType": "Consumption"}, DEDICATED]}}  # fmt: skip
    with pytest.raises(HttpResponseError, match=code):
        clients.apps.managed_environments.begin_create_or_update(GROUP, "aienvabcde", body)


def test_an_environment_gets_no_dedicated_gpu_afterwards(
    double: AzureDouble, clients: Clients
) -> None:
    fine_tuning(double.state, GROUP, NAMES, SERVERLESS)
    profiles = [
        {"name": "Consumption", "workloadProfileType": "Consumption"},
        SERVERLESS,
        {**DEDICATED, "name": "more"},
    ]
    body = {**PLACE, "properties": {"workloadProfiles": profiles}}
    with pytest.raises(HttpResponseError, match="WorkloadProfileNotSupported"):
        clients.apps.managed_environments.begin_create_or_update(GROUP, NAMES.environment, body)


def test_an_environment_in_a_failed_state(double: AzureDouble, clients: Clients) -> None:
    fine_tuning(double.state, GROUP, NAMES, SERVERLESS)
    name = resource_id("Microsoft.App/managedEnvironments", NAMES.environment)
    environment = double.state.find(name)
    assert environment is not None
    environment.properties["provisioningState"] = "Failed"
    with pytest.raises(HttpResponseError, match="ManagedEnvironmentNotReadyForAppCreation"):
        clients.apps.container_apps.begin_create_or_update(GROUP, "app", app_body())


def test_a_client_waits_when_it_is_throttled_and_tries_again(
    double: AzureDouble, clients: Clients
) -> None:
    double.faults.throttle("/resourcegroups", times=2)
    double.faults.fail("/resourcegroups", status=503)
    assert [group.name for group in clients.resources.resource_groups.list()] == [GROUP]
    assert [request.status for request in double.requests] == [429, 429, 503, 200]


def ask(double: AzureDouble, path: str, **headers: str) -> httpx.Response:
    trust = ssl.create_default_context(cafile=double.certificate)
    return httpx.get(f"{double.endpoint}{path}", headers=headers, verify=trust)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/subscriptions", "MissingApiVersionParameter"),
        ("/subscriptions?api-version=1999-01-01", "NoRegisteredProviderFound"),
        ("/nothing?api-version=2022-12-01", "InvalidResourceType"),
    ],
)
def test_what_azure_does_not_know_is_a_violation(double: AzureDouble, path: str, code: str) -> None:
    answer = ask(double, path, Authorization="Bearer token")
    assert answer.json()["error"]["code"] == code
    assert code in double.violations.pop()


def test_a_body_that_breaks_the_contract_is_a_violation(
    double: AzureDouble, clients: Clients
) -> None:
    fine_tuning(double.state, GROUP, NAMES, SERVERLESS)
    probes = [{"type": "Liveness", "httpGet": {"port": 1, "path": "/"}, "failureThreshold": 99}]
    containers = [{"name": "app", "image": "python", "probes": probes, "colour": "red"}]
    body = app_body(containers=containers)
    with pytest.raises(HttpResponseError, match="InvalidRequestContent"):
        clients.apps.container_apps.begin_create_or_update(GROUP, "app", body)
    assert "colour" in double.violations.pop()


def test_a_revision_is_not_deleted(double: AzureDouble, clients: Clients) -> None:
    fine_tuning(double.state, GROUP, NAMES, SERVERLESS)
    clients.apps.container_apps.begin_create_or_update(GROUP, "app", app_body()).result()
    revision = next(iter(clients.apps.container_apps_revisions.list_revisions(GROUP, "app")))
    with pytest.raises(HttpResponseError, match="MethodNotAllowed"):
        clients.resources.resources.begin_delete_by_id(revision.id, api_version="2025-01-01")
    assert "revisions" in double.violations.pop()


def test_nobody_is_answered_without_a_token(double: AzureDouble) -> None:
    assert ask(double, "/subscriptions?api-version=2022-12-01").status_code == 401


def test_az_is_signed_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = fake_az.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    token = AzureCliCredential().get_token("https://management.azure.com/.default")
    assert token.token == "token"


def test_the_double_is_a_program(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    options = ["--record", str(record), "--latency-ms", "1", "--group", GROUP]
    options += ["--fine-tuning", "serverless"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.azure.double", *options],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert process.stdout is not None
        environment = json.loads(process.stdout.readline())
        trust = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
        url = f"{environment['REMORA_ARM_ENDPOINT']}/subscriptions?api-version=2022-12-01"
        headers = {"Authorization": "Bearer token"}
        assert httpx.get(url, headers=headers, verify=trust).json()["value"]
        control = f"{environment['REMORA_ARM_ENDPOINT']}/double"
        fault = {"fault": "throttle", "path": "/subscriptions"}
        told = httpx.post(f"{control}/faults", json=fault, verify=trust).json()
        assert told == {"violations": [], "requests": 1}
        assert httpx.get(url, headers=headers, verify=trust).status_code == 429
        line = json.loads(record.read_text(encoding="utf-8").splitlines()[0])
        assert (line["method"], line["path"], line["status"]) == ("GET", "/subscriptions", 200)
        assert line["api_version"] == "2022-12-01"
    finally:
        process.terminate()
        process.communicate()
