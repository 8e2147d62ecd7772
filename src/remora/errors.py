"""Every exception that Remora raises on purpose.

Each one says what is wrong, and carries a hint of what to do next::

    RemoraError
    ├── ConfigError              a file, key or option of the user is wrong       exit 2
    │   └── ProjectNotFound      no remora.toml and no AI Toolkit layout          exit 2
    ├── ModelError               the base model can't be served                   exit 3
    │   └── UnsupportedModel     its architecture is not one that Remora runs     exit 3
    ├── AdapterError             an adapter can't be served                       exit 3
    │   ├── AdapterBroken        its files are missing, damaged or inconsistent   exit 3
    │   └── AdapterUnsupported   it asks for what the engine can't do right       exit 3
    ├── EndpointError            an endpoint did not answer as hoped              exit 4
    ├── ShareError               the share can't do what was asked                exit 5
    │   ├── ShareNotFound        there is no such file or folder on it            exit 5
    │   ├── ShareExists          a file is where none may be replaced             exit 5
    │   ├── ShareDenied          the user may not                                 exit 5
    │   ├── ShareFull            there is no room left                            exit 5
    │   └── ShareUnavailable     it can't be reached now; trying again may help   exit 5
    ├── ReleaseError             a release can't be made, read or published       exit 6
    │   ├── ReleaseNotFound      no such release; names what there is             exit 6
    │   ├── ReleaseBroken        its files are damaged, or of a newer Remora      exit 6
    │   ├── ReleaseConflict      another one was published at the same time       exit 6
    │   └── ReleaseRefused       the server can't serve it                        exit 6
    ├── TargetError              a target can't run or reach its server           exit 7
    ├── AzureError               Azure can't do, or refused, what was asked       exit 8
    │   ├── AzureSignIn          nobody is signed in, or to another tenant        exit 8
    │   ├── AzureDenied          the user's role does not allow it                exit 8
    │   ├── AzureNotFound        there is no such thing in the subscription       exit 8
    │   ├── AzureUnregistered    the subscription has not registered a provider   exit 8
    │   ├── AzureQuota           the quota or the capacity does not suffice       exit 8
    │   ├── AzureRegion          the region does not offer it                     exit 8
    │   ├── AzurePolicy          a policy of the organisation forbids it          exit 8
    │   ├── AzureNameTaken       another resource has that name                   exit 8
    │   ├── AzureConflict        something else changes it now, or holds it       exit 8
    │   ├── AzureThrottled       too many requests; later it may work             exit 8
    │   ├── AzureUnavailable     Azure can't be reached, or has a fault           exit 8
    │   └── DeploymentFailed     a deployment ended without success               exit 8
    ├── RequestError             a request is wrong                               HTTP 400
    │   ├── PromptTooLong        prompt and answer exceed the context             HTTP 400
    │   ├── Unauthorized         no key, or not the right one                     HTTP 401
    │   ├── ModelNotFound        no such model; names the nearest                 HTTP 404
    │   ├── Conflict             the name is taken                                HTTP 409
    │   ├── PayloadTooLarge      the body exceeds the limit                       HTTP 413
    │   └── QueueFull            too many requests are waiting                    HTTP 429
    ├── NotReady                 loading, draining, or failed to load             HTTP 503
    │   ├── Asleep               the server behind the front sleeps               HTTP 503
    │   ├── Waking               it is waking, and takes longer than was waited   HTTP 503
    │   ├── WakeFailed           it could not be woken; says why                  HTTP 503
    │   └── HoursSpent           it was awake for as long as it may be in a day   HTTP 503
    ├── UpstreamFailure          the server behind the front broke off            HTTP 502
    └── EngineFailure            the engine broke while it answered               HTTP 500
"""

from __future__ import annotations

from collections.abc import Sequence


class RemoraError(Exception):
    """Base of all; ``str()`` is what is wrong, ``hint`` what to do next, ``code`` what HTTP
    clients are told."""

    exit_code = 1
    http_status = 500
    code: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(RemoraError):
    """A file, key or option that the user wrote is wrong."""

    exit_code = 2
    http_status = 400


class ProjectNotFound(ConfigError):
    """The folder holds neither ``remora.toml`` nor an AI Toolkit layout."""


class ModelError(RemoraError):
    """The base model's folder can't be read or served."""

    exit_code = 3


class UnsupportedModel(ModelError):
    """The base model's architecture is not one that the engine runs."""


class AdapterError(RemoraError):
    """An adapter can't be served; the message names it."""

    exit_code = 3
    http_status = 400
    code = "adapter"


class AdapterBroken(AdapterError):
    """The adapter's files are missing, damaged or inconsistent."""


class AdapterUnsupported(AdapterError):
    """The adapter is sound, but asks for something that the engine can't do right."""


class EndpointError(RemoraError):
    """An endpoint can't be reached, or refused what was asked.

    ``status`` is the HTTP status of a refusal; ``unreachable`` says that the connection failed.
    """

    exit_code = 4
    http_status = 502

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        status: int | None = None,
        unreachable: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.unreachable = unreachable


class ShareError(RemoraError):
    """The share, the file tree that the serving process sees, can't do what was asked."""

    exit_code = 5


class ShareNotFound(ShareError):
    """There is no such file or folder on the share."""


class ShareExists(ShareError):
    """A file is already there, and was not to be replaced."""


class ShareDenied(ShareError):
    """The share may not be read or written by this user."""


class ShareFull(ShareError):
    """There is no room left on the share."""


class ShareUnavailable(ShareError):
    """The share can't be reached now; the same may work later.

    ``retry_after`` is how long it asked to be left alone, in seconds.
    """

    def __init__(
        self, message: str, *, hint: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class ReleaseError(RemoraError):
    """A release can't be made, read or published."""

    exit_code = 6


class ReleaseNotFound(ReleaseError):
    """There is no such release, or none at all."""


class ReleaseBroken(ReleaseError):
    """A release's files are damaged, or were written by a newer Remora."""


class ReleaseConflict(ReleaseError):
    """Another release was published in the meantime; nothing was changed."""

    http_status = 409


class ReleaseRefused(ReleaseError):
    """The server can't serve the release; it goes on with what it served before."""


class TargetError(RemoraError):
    """A target can't run its server, or can't reach it."""

    exit_code = 7


class AzureError(RemoraError):
    """Azure can't do what was asked, or refused it; ``code`` is Azure's own name for it."""

    exit_code = 8

    def __init__(self, message: str, *, hint: str | None = None, code: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class AzureSignIn(AzureError):
    """Nobody is signed in to Azure, or not to the right tenant."""


class AzureDenied(AzureError):
    """The user's role does not allow it."""


class AzureNotFound(AzureError):
    """There is no such resource, resource group or subscription."""


class AzureUnregistered(AzureError):
    """The subscription has not registered a resource provider."""


class AzureQuota(AzureError):
    """The quota, or what the region has to give, does not suffice."""


class AzureRegion(AzureError):
    """The region does not offer what was asked for."""


class AzurePolicy(AzureError):
    """A policy of the organisation forbids it."""


class AzureNameTaken(AzureError):
    """A name is taken by another resource, perhaps of somebody else."""


class AzureConflict(AzureError):
    """The resource is being changed by something else, or is locked."""


class AzureThrottled(AzureError):
    """Azure refused for too many requests; the same may work later."""


class AzureUnavailable(AzureError):
    """Azure can't be reached, or failed by itself; the same may work later."""


class DeploymentFailed(AzureError):
    """A deployment was cancelled or ended without success, for no reason that is told apart."""


class RequestError(RemoraError):
    """A request is wrong; ``param`` names the offending parameter."""

    http_status = 400
    code = "invalid_value"

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.param = param
        if code is not None:
            self.code = code


class PromptTooLong(RequestError):
    """The prompt, or prompt and answer together, exceed the context."""

    code = "context_length_exceeded"


class Unauthorized(RequestError):
    """No API key was given, or not the right one."""

    http_status = 401
    code = "invalid_api_key"


class ModelNotFound(RequestError):
    """No model of that name is served; ``near`` holds the nearest names."""

    http_status = 404
    code = "model_not_found"

    def __init__(self, name: str, *, near: Sequence[str] = ()) -> None:
        also = f" Did you mean {', '.join(repr(n) for n in near)}?" if near else ""
        super().__init__(
            f"The model {name!r} does not exist.{also}",
            param="model",
            hint="GET /v1/models lists what is served.",
        )
        self.near = tuple(near)


class Conflict(RequestError):
    """The name is already taken."""

    http_status = 409
    code = "conflict"


class PayloadTooLarge(RequestError):
    """The request's body exceeds the limit."""

    http_status = 413
    code = "payload_too_large"


class QueueFull(RequestError):
    """Too many requests are waiting; try again after ``retry_after`` seconds."""

    http_status = 429
    code = "queue_full"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message, hint=f"Try again in {retry_after} s.")
        self.retry_after = retry_after


class NotReady(RemoraError):
    """The endpoint is loading, draining or has failed to load."""

    http_status = 503
    code = "not_ready"

    def __init__(self, message: str, *, hint: str | None = None, retry_after: int = 1) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Asleep(NotReady):
    """The server behind the front sleeps, and what was asked does not wake it."""

    code = "asleep"


class Waking(NotReady):
    """The server behind the front is waking; ``str()`` says how far it has come."""

    code = "waking"


class WakeFailed(NotReady):
    """The server behind the front could not be woken."""

    code = "wake_failed"


class HoursSpent(NotReady):
    """The server behind the front was awake for as long as it may be in a day."""

    code = "hours_spent"


class UpstreamFailure(RemoraError):
    """The server behind the front broke off, or did not answer in time."""

    http_status = 502
    code = "upstream_failure"


class EngineFailure(RemoraError):
    """The engine broke while it answered; other requests may go on."""

    code = "engine_failure"
