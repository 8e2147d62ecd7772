"""What errors of Azure Files mean: the one border between the SDK's and those of a share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceModifiedError,
)
from azure.core.rest import HttpResponse

from remora.errors import (
    ShareDenied,
    ShareError,
    ShareExists,
    ShareFull,
    ShareNotFound,
    ShareUnavailable,
)
from remora.release.share_path import SharePath

# https://learn.microsoft.com/rest/api/storageservices/file-service-error-codes
_NO_SHARE = {"ShareNotFound", "ShareBeingDeleted", "ShareDisabled"}
_FULL = {"ShareSizeLimitReached", "AccountLimitExceeded"}
_PASSING = {"Md5Mismatch", "SharingViolation", "FileLockConflict", "DeletePending"}
_NO_KEYS = "KeyBasedAuthenticationNotPermitted"
_RANGE_NOT_SATISFIABLE = 416

_GOES_ON = "The same command goes on where it ended."


def is_past_the_end(error: Exception) -> bool:
    """Whether a range was asked for that begins where the file has ended."""
    return isinstance(error, HttpResponseError) and error.status_code == _RANGE_NOT_SATISFIABLE


@contextmanager
def translated(path: SharePath, share: str) -> Iterator[None]:
    """Raise a `ShareError` for every error that the SDK raises inside."""
    try:
        yield
    except AzureError as error:
        raise _meaning(f"{path} on the share {share}", share, error) from error


def _meaning(place: str, share: str, error: AzureError) -> ShareError:
    answer = error.response if isinstance(error, HttpResponseError) else None
    response = cast(HttpResponse | None, answer)
    if response is None or response.status_code < 400:  # It broke off in the middle of its answer.
        return _without_answer(place, error)
    code = response.headers.get("x-ms-error-code", "")
    told = f"{place}: {_first_line(error)}"
    if code in _NO_SHARE:
        return ShareError(
            f"there is no share {share}: {code}",
            hint="`remora provision` makes it; infra/inference.config.json says which it is.",
        )
    if code in _FULL:
        return ShareFull(
            told, hint="Raise the share's quota; the same command then goes on where it ended."
        )
    if code in _PASSING or response.status_code in {408, 429} or response.status_code >= 500:
        after = response.headers.get("Retry-After", "")
        seconds = float(after) if after.isdigit() else None
        return ShareUnavailable(told, hint=_GOES_ON, retry_after=seconds)
    if response.status_code in {401, 403}:
        return ShareDenied(told, hint=_what_is_allowed(code))
    if response.status_code == 404:
        return ShareNotFound(f"there is no {place}")
    if response.status_code == 409 and code == "ResourceAlreadyExists":
        return ShareExists(f"there is already a {place}")
    return ShareError(told)


def _without_answer(place: str, error: AzureError) -> ShareError:
    if isinstance(error, ClientAuthenticationError):
        return ShareDenied(
            f"{place}: this machine can't sign in to Azure: {_first_line(error)}",
            hint="Sign in with `az login`.",
        )
    if isinstance(error, ResourceModifiedError):
        return ShareError(f"{place} was changed while it was read")
    return ShareUnavailable(f"{place} can't be reached: {_first_line(error)}", hint=_GOES_ON)


def _what_is_allowed(code: str) -> str:
    if code == _NO_KEYS:
        return (
            "The account takes no keys: sign in as a user with the role `Storage File Data"
            " Privileged Contributor`."
        )
    return (
        "Does the storage account's firewall let this machine in, and has this user the role"
        " `Storage File Data Privileged Contributor`, or the right to list the account's keys?"
    )


def _first_line(error: AzureError) -> str:
    return str(error.message).partition("\n")[0]
