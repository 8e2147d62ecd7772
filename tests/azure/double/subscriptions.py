"""Microsoft.Resources: tenants, subscriptions, their locations and registered providers."""

from __future__ import annotations

from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route
from tests.azure.double.errors import ArmError
from tests.azure.double.state import Json, Subscription

LOCATIONS = {
    "australiaeast": "Australia East",
    "eastus": "East US",
    "northeurope": "North Europe",
    "swedencentral": "Sweden Central",
    "westeurope": "West Europe",
    "westus": "West US",
    "westus3": "West US 3",
}


def _found(arm: Arm, call: Call) -> Subscription:
    wanted = call.names["subscription"]
    found = arm.state.subscriptions.get(wanted.lower())
    if found is None:
        raise ArmError(
            404, "SubscriptionNotFound", f"The subscription '{wanted}' could not be found."
        )
    return found


def _view(arm: Arm, subscription: Subscription) -> Json:
    return {
        "id": f"/subscriptions/{subscription.id}",
        "subscriptionId": subscription.id,
        "displayName": subscription.name,
        "state": subscription.state,
        "tenantId": arm.state.tenant,
        "subscriptionPolicies": {"spendingLimit": "Off"},
        "authorizationSource": "RoleBased",
    }


def subscriptions(arm: Arm, call: Call) -> Reply:
    found = [_view(arm, subscription) for subscription in arm.state.subscriptions.values()]
    return Reply(200, {"value": found})


def subscription(arm: Arm, call: Call) -> Reply:
    return Reply(200, _view(arm, _found(arm, call)))


def tenants(arm: Arm, call: Call) -> Reply:
    tenant = arm.state.tenant
    value = [{"id": f"/tenants/{tenant}", "tenantId": tenant, "displayName": "Example",
              "defaultDomain": "example.com", "tenantCategory": "Home"}]  # fmt: skip
    return Reply(200, {"value": value})


def locations(arm: Arm, call: Call) -> Reply:
    here = f"/subscriptions/{_found(arm, call).id}/locations"
    value = [
        {"id": f"{here}/{name}", "name": name, "displayName": title, "type": "Region",
         "regionalDisplayName": title, "metadata": {"regionType": "Physical"}}
        for name, title in LOCATIONS.items()
    ]  # fmt: skip
    return Reply(200, {"value": value})


def _provider(subscription: Subscription, wanted: str) -> Json:
    names = {name.lower(): name for name in subscription.providers}
    name = names.get(wanted.lower())
    if name is None:
        raise ArmError(
            404,
            "InvalidResourceNamespace",
            f"The resource namespace '{wanted}' is invalid.",
        )
    return {
        "id": f"/subscriptions/{subscription.id}/providers/{name}",
        "namespace": name,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": subscription.providers[name],
        "resourceTypes": [],
    }


def provider(arm: Arm, call: Call) -> Reply:
    """A provider whose registration was asked for is registered when one looks again."""
    subscription = _found(arm, call)
    shown = _provider(subscription, call.names["namespace"])
    if shown["registrationState"] == "Registering":
        subscription.providers[shown["namespace"]] = "Registered"
    return Reply(200, shown)


def providers(arm: Arm, call: Call) -> Reply:
    subscription = _found(arm, call)
    return Reply(200, {"value": [_provider(subscription, name) for name in subscription.providers]})


def register(arm: Arm, call: Call) -> Reply:
    subscription = _found(arm, call)
    name = _provider(subscription, call.names["namespace"])["namespace"]
    if subscription.providers[name] != "Registered":
        subscription.providers[name] = "Registering"
    return Reply(200, _provider(subscription, name))


_ONE = "/subscriptions/{subscription}"
_SUBSCRIPTIONS = "Microsoft.Resources/subscriptions"
ROUTES = (
    Route("GET", "/subscriptions", subscriptions, _SUBSCRIPTIONS),
    Route("GET", _ONE, subscription, _SUBSCRIPTIONS),
    Route("GET", f"{_ONE}/locations", locations, _SUBSCRIPTIONS),
    Route("GET", "/tenants", tenants, "Microsoft.Resources/tenants"),
    Route("GET", f"{_ONE}/providers", providers, "Microsoft.Resources"),
    Route("GET", f"{_ONE}/providers/{{namespace}}", provider, "Microsoft.Resources"),
    Route("POST", f"{_ONE}/providers/{{namespace}}/register", register, "Microsoft.Resources"),
)
