"""What Azure's errors become: the cause, in the user's words, with a hint."""

from __future__ import annotations

import json

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
)
from azure.core.rest import HttpRequest
from azure.identity import CredentialUnavailableError

from remora.azure.arm_error import ArmError, innermost
from remora.azure.failures import azure_errors, told
from remora.errors import (
    AzureConflict,
    AzureDenied,
    AzureError,
    AzureNameTaken,
    AzureNotFound,
    AzurePolicy,
    AzureQuota,
    AzureRegion,
    AzureSignIn,
    AzureThrottled,
    AzureUnavailable,
    AzureUnregistered,
    DeploymentFailed,
)


class Answer:
    """As much of a response as an error holds."""

    def __init__(self, status: int, body: str) -> None:
        self.status_code, self.reason, self._body = status, "reason", body
        self.headers: dict[str, str] = {}
        self.content_type = "application/json"
        self.request = HttpRequest("GET", "https://127.0.0.1/")

    def text(self, encoding: str | None = None) -> str:
        return self._body


def refused(status: int, code: str, message: str = "so it is") -> HttpResponseError:
    body = json.dumps({"error": {"code": code, "message": message}})
    kind = ClientAuthenticationError if status == 401 else HttpResponseError
    return kind(response=Answer(status, body))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "WorkloadProfileQuotaExceeded", AzureQuota),
        (409, "MaxNumberOfRegionalEnvironmentsInSubExceeded", AzureQuota),
        (409, "InsufficientCapacity", AzureQuota),
        (400, "LocationNotAvailableForResourceType", AzureRegion),
        (409, "InvalidResourceLocation", AzureRegion),
        (403, "RequestDisallowedByPolicy", AzurePolicy),
        (409, "StorageAccountAlreadyTaken", AzureNameTaken),
        (409, "MissingSubscriptionRegistration", AzureUnregistered),
        (403, "AuthorizationFailed", AzureDenied),
        (403, "LinkedAuthorizationFailed", AzureDenied),
        (403, "SomethingElse", AzureDenied),
        (409, "ReadOnlyDisabledSubscription", AzureDenied),
        (401, "InvalidAuthenticationTokenTenant", AzureSignIn),
        (401, "ExpiredAuthenticationToken", AzureSignIn),
        (404, "ResourceGroupNotFound", AzureNotFound),
        (404, "Whatever", AzureNotFound),
        (409, "ScopeLocked", AzureConflict),
        (409, "AnotherOperationInProgress", AzureConflict),
        (429, "TooManyRequests", AzureThrottled),
        (500, "InternalServerError", AzureUnavailable),
        (400, "InvalidTemplate", DeploymentFailed),
    ],
)
def test_a_code_decides_what_it_means(status: int, code: str, kind: type[AzureError]) -> None:
    with pytest.raises(AzureError) as error, azure_errors("making it"):
        raise refused(status, code)
    assert type(error.value) is kind
    assert str(error.value) == f"making it: so it is ({code})"
    assert error.value.code == code
    assert error.value.hint or kind is DeploymentFailed


def test_nobody_signed_in_is_told_how_to() -> None:
    with pytest.raises(AzureSignIn, match="no way") as error, azure_errors("signing in"):
        raise CredentialUnavailableError(message="no way\nmany\nlines")
    assert "az login" in str(error.value.hint)


def test_of_the_ways_to_sign_in_those_that_failed_are_told() -> None:
    message = (
        "DefaultAzureCredential failed to retrieve a token from the included credentials.\n"
        "Attempted credentials:\n"
        "\tEnvironmentCredential: EnvironmentCredential authentication unavailable.\n"
        "\tAzureCliCredential: Please run 'az login' to set up an account\n"
        "\tAzurePowerShellCredential: PowerShell is not installed\n"
        "To mitigate this issue, please refer to the troubleshooting guidelines."
    )
    with pytest.raises(AzureSignIn) as error, azure_errors("looking"):
        raise ClientAuthenticationError(message=message)
    told = "AzureCliCredential: Please run 'az login' to set up an account"
    assert str(error.value) == f"looking: nobody is signed in to Azure: {told}"


def test_no_network_is_told() -> None:
    with pytest.raises(AzureUnavailable, match="can't be reached"), azure_errors("looking"):
        raise ServiceRequestError("refused")


def test_an_answer_that_is_no_json_is_told_by_its_status() -> None:
    with pytest.raises(AzureThrottled, match="status 429"), azure_errors("looking"):
        raise HttpResponseError(response=Answer(429, "<html>"))


QUOTA = {"code": "QuotaExceeded", "message": "0 of 1 GPUs"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (QUOTA, "QuotaExceeded"),
        ({"error": QUOTA}, "QuotaExceeded"),
        (
            {"code": "DeploymentFailed", "message": "one of many", "details": [QUOTA]},
            "QuotaExceeded",
        ),
        ({"code": "Conflict", "message": json.dumps({"error": QUOTA})}, "QuotaExceeded"),
        (
            {
                "code": "DeploymentFailed",
                "message": "x",
                "details": [
                    {"code": "ResourceDeploymentFailure", "message": "y", "details": [QUOTA]},
                ],
            },
            "QuotaExceeded",
        ),
        ({"code": "DeploymentFailed", "message": "x", "details": []}, "DeploymentFailed"),
        ({"code": "Conflict", "message": "{not json"}, "Conflict"),
        (json.dumps({"error": QUOTA}), "QuotaExceeded"),
    ],
)
def test_the_cause_is_the_innermost_error(body: object, code: str) -> None:
    found = innermost(body)
    assert found is not None
    assert found.code == code


@pytest.mark.parametrize("body", [None, "", "<html>", {}, [], 3])
def test_what_is_no_error_is_none(body: object) -> None:
    assert innermost(body) is None


def test_long_messages_become_one_line() -> None:
    error = told("it", ArmError("Some", "a\n  b\tc"))
    assert str(error) == "it: a b c (Some)"
