"""The one border where failures of Azure's libraries become errors of Remora's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from remora.azure.arm_error import ArmError, innermost
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

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError

SIGN_IN = (
    "Sign in with `az login`, and run it again. Without the Azure CLI, REMORA_AZURE_SIGN_IN=browser"
    " or device-code asks you to sign in."
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """Codes of Azure, as a pattern of the whole code, and what they mean to a user."""

    codes: str
    error: type[AzureError]
    hint: str


# The order matters: the first pattern that fits decides.
_KINDS = (
    _Kind(
        r".*(quota|corelimit|maxnumberof).*",
        AzureQuota,
        "Ask for more in the Azure portal (Quotas, provider Container Apps), or choose another"
        " profile with --gpu, or another region.",
    ),
    _Kind(
        r".*(capacity|skunotavailable|heavyusage).*",
        AzureQuota,
        "The region has no room for it now: try later, another profile with --gpu, or another"
        " region.",
    ),
    _Kind(
        r"locationnotavailable.*|.*notavailableinregion|.*notsupportedinregion"
        r"|invalidresourcelocation|.*unsupportedregion.*|noregisteredproviderfound",
        AzureRegion,
        "Choose a region that offers it, with --location or in the parameters file.",
    ),
    _Kind(
        r"requestdisallowedby.*|.*policyviolation.*",
        AzurePolicy,
        "Who made the policy can say what is allowed; names, tags and the region can be set in"
        " infra/provision/inference.parameters.json.",
    ),
    _Kind(
        r"storageaccount(already)?taken|storageaccountalreadyexists|accountalreadyexists"
        r"|storageaccountinanotherresourcegroup|.*name(alreadyinuse|notavailable|inuse)"
        r"|alreadyexists",
        AzureNameTaken,
        "Give it another name in infra/provision/inference.parameters.json.",
    ),
    _Kind(
        r"missingsubscriptionregistration|subscriptionnotregistered|missingregistration.*"
        r"|.*providernotregistered.*|.*notregisteredfor.*",
        AzureUnregistered,
        "Register it once: `az provider register --namespace Microsoft.App`, likewise"
        " Microsoft.OperationalInsights and Microsoft.Storage.",
    ),
    _Kind(
        r"(linked)?authorizationfailed|.*forbidden.*|.*authorizationfailure.*|.*insufficientpriv.*",
        AzureDenied,
        "Ask for the role Contributor on the resource group.",
    ),
    _Kind(
        r"readonlydisabledsubscription|subscriptiondisabled|disabledsubscription",
        AzureDenied,
        "The subscription is disabled: enable it in the Azure portal, or choose another with"
        " --subscription.",
    ),
    _Kind(
        r"(invalid|expired)authenticationtoken.*|authenticationfailed|unauthorized",
        AzureSignIn,
        SIGN_IN,
    ),
    _Kind(
        r"(resourcegroup|subscription|resource|parentresource|deployment|containerapp|share)"
        r"notfound|notfound",
        AzureNotFound,
        "Look at the names in infra/inference.config.json, or run `remora provision`.",
    ),
    _Kind(
        r"scopelocked|.*readonlylock.*",
        AzureConflict,
        "A lock on the resource or its group forbids changes; its owner can remove it.",
    ),
    _Kind(
        r"anotheroperationinprogress|deploymentactive|conflict.*|.*operationinprogress.*"
        r"|.*notinsucceededstate.*|managedenvironmentnotready.*",
        AzureConflict,
        "Wait until it has ended, and run it again.",
    ),
    _Kind(
        r"toomanyrequests|.*throttl.*|.*ratelimit.*",
        AzureThrottled,
        "Wait a minute, and run it again.",
    ),
)

_NOT_SET_UP = re.compile(
    r"unavailable|not (fully )?(configured|found|installed)|could not be found|package",
)

_BY_STATUS: dict[int, tuple[type[AzureError], str]] = {
    401: (AzureSignIn, SIGN_IN),
    403: (AzureDenied, "Ask for the role Contributor on the resource group."),
    404: (AzureNotFound, "Look at the names in infra/inference.config.json."),
    409: (AzureConflict, "Wait until it has ended, and run it again."),
    429: (AzureThrottled, "Wait a minute, and run it again."),
}


@contextmanager
def azure_errors(doing: str) -> Iterator[None]:
    """Raise what Azure's libraries raise as `AzureError`; ``doing`` begins the message."""
    from azure.core.exceptions import (
        AzureError as LibraryError,
    )
    from azure.core.exceptions import (
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )

    try:
        yield
    except ClientAuthenticationError as error:
        if error.response is not None and innermost(_body(error)) is not None:
            raise _translated(doing, error) from error
        raise AzureSignIn(f"{doing}: {_not_signed_in(error.message)}", hint=SIGN_IN) from error
    except HttpResponseError as error:
        raise _translated(doing, error) from error
    except (ServiceRequestError, ServiceResponseError) as error:
        raise AzureUnavailable(
            f"{doing}: Azure can't be reached: {_first_line(str(error))}",
            hint="Look at the network, a proxy (HTTPS_PROXY) or its certificates"
            " (REQUESTS_CA_BUNDLE), and run it again.",
        ) from error
    except LibraryError as error:
        raise AzureUnavailable(f"{doing}: {_first_line(str(error))}") from error


def told(doing: str, error: ArmError | None, status: int | None = None) -> AzureError:
    """What an error of Resource Manager means to a user."""
    if error is None:
        kind, hint = _BY_STATUS.get(status or 0, (AzureUnavailable, "Run it again later."))
        return kind(f"{doing}: Azure answered with status {status}", hint=hint)
    message = f"{doing}: {_sentence(error)}"
    for known in _KINDS:
        if re.fullmatch(known.codes, error.code, re.IGNORECASE):
            return known.error(message, hint=known.hint, code=error.code)
    if status in _BY_STATUS:
        other, hint = _BY_STATUS[status]
        return other(message, hint=hint, code=error.code)
    if status is not None and status >= 500:
        return AzureUnavailable(message, hint="Run it again later.", code=error.code)
    return DeploymentFailed(message, code=error.code)


def _translated(doing: str, error: HttpResponseError) -> AzureError:
    return told(doing, innermost(_body(error)), error.status_code)


def _not_signed_in(message: str) -> str:
    """What was tried and failed, without the ways that nobody has set up."""
    tried = [line.strip() for line in message.splitlines() if line.startswith("\t")]
    failed = [line for line in tried if not _NOT_SET_UP.search(line)]
    if not tried:
        return _first_line(message)
    return f"nobody is signed in to Azure{': ' if failed else ''}{'; '.join(failed)}"


def _body(error: HttpResponseError) -> str:
    try:
        return error.response.text() if error.response is not None else ""
    except Exception:  # noqa: BLE001  A body that was cut off says nothing, whatever it raises.
        return ""


def _sentence(error: ArmError) -> str:
    text = " ".join(error.message.split())
    return text if error.code in text or not error.code else f"{text} ({error.code})"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason was given"
