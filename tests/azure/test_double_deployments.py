"""Deployments on the Azure double: step by step, foreseen, refused, failed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
)

from tests.azure.arm_requests import GROUP, NAMES, PLACE, app_body, deployment, resource_id
from tests.azure.double.errors import ArmError
from tests.azure.double.sdk import Clients, invented
from tests.azure.double.seed import DEDICATED, fine_tuning
from tests.azure.double.server import AzureDouble
from tests.azure.double.state import SUBSCRIPTION


@pytest.fixture(autouse=True)
def group(double: AzureDouble) -> None:
    double.state.group(GROUP)


def deploy(clients: Clients, **given: Any) -> Any:
    return clients.deployments.deployments.begin_create_or_update(
        GROUP, "remora", deployment(**given)
    )


def test_a_deployment_takes_its_steps(double: AzureDouble, clients: Clients) -> None:
    double.pause()
    poller = deploy(clients)
    deployments = clients.deployments.deployments
    running = deployments.get(GROUP, "remora")
    assert running.properties is not None
    assert running.properties.provisioning_state in {"Accepted", "Running"}
    with pytest.raises(ResourceExistsError, match="DeploymentActive"):
        deploy(clients)
    double.resume()
    done = poller.result()
    assert done.properties is not None
    assert done.properties.outputs == {"key": {"type": "String", "value": "key1"}}
    operations = list(clients.deployments.deployment_operations.list(GROUP, "remora"))
    kinds = [found.properties.target_resource.resource_type for found in operations
             if found.properties and found.properties.target_resource]  # fmt: skip
    assert kinds == [
        "Microsoft.Storage/storageAccounts",
        "Microsoft.OperationalInsights/workspaces",
    ]
    polls = [request for request in double.requests if "operationStatuses" in request.route]
    assert len(polls) >= 2
    assert "hush" not in json.dumps(done.as_dict())


def test_a_deployment_is_cancelled(double: AzureDouble, clients: Clients) -> None:
    double.pause()
    poller = deploy(clients)
    clients.deployments.deployments.cancel(GROUP, "remora")
    double.resume()
    with pytest.raises(HttpResponseError, match="Canceled"):
        poller.result()
    state = clients.deployments.deployments.get(GROUP, "remora").properties
    assert state is not None
    assert state.provisioning_state == "Canceled"


def test_what_if_tells_what_would_change(double: AzureDouble, clients: Clients) -> None:
    def changes() -> dict[str, Any]:
        result = clients.deployments.deployments.begin_what_if(
            GROUP, "remora", deployment()
        ).result()
        assert result.properties is not None
        return {
            (change.resource_id or "").rpartition("/")[2]: change.change_type
            for change in result.properties.changes or []
        }

    assert changes() == {"aistorageabcde": "Create", "ailogabcde": "Create"}
    assert not double.state.resources
    deploy(clients).result()
    other = {**PLACE, "properties": {"sku": {"name": "PerGB2018"}}}
    clients.resources.resources.begin_create_or_update_by_id(
        resource_id("Microsoft.OperationalInsights/workspaces", "other"),
        other,
        api_version="2022-10-01",
    ).result()
    expected = {"aistorageabcde": "NoChange", "ailogabcde": "NoChange", "other": "Ignore"}
    assert changes() == expected
    found = double.state.find(resource_id("Microsoft.OperationalInsights/workspaces", "ailogabcde"))
    assert found is not None
    found.properties["sku"] = {"name": "CapacityReservation"}
    assert changes() == {**expected, "ailogabcde": "Modify"}


def refusing(double: AzureDouble, code: str) -> None:
    """Brings about what Azure answers with this code."""
    state = double.state
    match code:
        case "StorageAccountAlreadyTaken":
            state.taken_names.add("aistorageabcde")
        case "MissingSubscriptionRegistration":
            state.subscriptions[SUBSCRIPTION].providers["Microsoft.Storage"] = "NotRegistered"
        case "AuthorizationFailed":
            state.permissions = [{"actions": ["*/read", "Microsoft.Resources/*"]}]
        case "RequestDisallowedByPolicy":
            error = ArmError(403, code, "Resource was disallowed by policy.")
            state.refusals.append(("Microsoft.Storage/storageAccounts", error))


@pytest.mark.parametrize(
    "code",
    [
        "StorageAccountAlreadyTaken",
        "MissingSubscriptionRegistration",
        "AuthorizationFailed",
        "RequestDisallowedByPolicy",
    ],
)
def test_a_deployment_is_refused_before_it_begins(
    double: AzureDouble, clients: Clients, code: str
) -> None:
    refusing(double, code)
    with pytest.raises(HttpResponseError, match="InvalidTemplateDeployment") as caught:
        deploy(clients)
    assert caught.value.error is not None
    assert {detail.code for detail in caught.value.error.details} == {code}
    with pytest.raises(HttpResponseError, match=code):
        clients.deployments.deployments.begin_validate(GROUP, "remora", deployment())
    assert not double.state.resources


def test_a_deployment_fails_in_the_middle(double: AzureDouble, clients: Clients) -> None:
    error = ArmError(400, "QuotaExceeded", "There is no quota for another workspace.")
    double.state.refusals.append(("Microsoft.OperationalInsights/workspaces", error))
    with pytest.raises(HttpResponseError, match="QuotaExceeded"):
        deploy(clients).result()
    operations = list(clients.deployments.deployment_operations.list(GROUP, "remora"))
    states = [found.properties.provisioning_state for found in operations if found.properties]
    assert states == ["Succeeded", "Failed"]


def test_a_connection_is_cut_during_a_poll(double: AzureDouble, clients: Clients) -> None:
    double.faults.cut("operationStatuses", skip=1)
    double.operations.least_polls = 4
    assert deploy(clients).result().properties is not None
    asked = [request for request in double.requests if "operationStatuses" in request.path]
    assert len(asked) >= 4


def test_answers_hold_nothing_that_azures_models_do_not_know(
    double: AzureDouble, clients: Clients
) -> None:
    fine_tuning(double.state, GROUP, NAMES, DEDICATED)
    clients.apps.container_apps.begin_create_or_update(GROUP, "app", app_body()).result()
    deploy(clients, account="another").result()
    apps, deployments = clients.apps, clients.deployments
    revision = next(iter(apps.container_apps_revisions.list_revisions(GROUP, "app")))
    found = [
        *clients.subscriptions.subscriptions.list(),
        *clients.subscriptions.subscriptions.list_locations(SUBSCRIPTION),
        *clients.subscriptions.tenants.list(),
        *clients.resources.resource_groups.list(),
        *clients.resources.resources.list_by_resource_group(GROUP, expand="provisioningState"),
        clients.resources.providers.get("Microsoft.App"),
        clients.storage.storage_accounts.get_properties(GROUP, NAMES.account),
        clients.storage.storage_accounts.list_keys(GROUP, NAMES.account),
        clients.storage.file_shares.get(GROUP, NAMES.account, NAMES.share),
        apps.managed_environments.get(GROUP, NAMES.environment),
        apps.managed_environments_storages.get(GROUP, NAMES.environment, NAMES.storage),
        *apps.available_workload_profiles.get("westus3"),
        *apps.usages.list("westus3"),
        *apps.managed_environment_usages.list(GROUP, NAMES.environment),
        apps.container_apps.get(GROUP, "app"),
        apps.container_apps.list_secrets(GROUP, "app"),
        apps.container_apps.get_auth_token(GROUP, "app"),
        revision,
        apps.container_apps_revision_replicas.list_replicas(GROUP, "app", revision.name),
        deployments.deployments.get(GROUP, "remora"),
        *deployments.deployment_operations.list(GROUP, "remora"),
        deployments.deployments.begin_what_if(GROUP, "remora", deployment()).result(),
        deployments.deployments.begin_validate(GROUP, "remora", deployment()).result(),
    ]
    assert [name for item in found for name in invented(item)] == []
