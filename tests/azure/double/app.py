"""ARM over HTTP: reads a request, finds its operation, writes what was answered, keeps a record."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.azure.double import (
    api_versions,
    capacity,
    container_apps,
    deployment_routes,
    groups,
    operations,
    permissions,
    resources,
    revisions,
    storage,
    subscriptions,
    workspaces,
)
from tests.azure.double.arm import Arm
from tests.azure.double.call import Call, Reply, Route, find
from tests.azure.double.errors import ArmError, ContractError
from tests.azure.double.permissions import action_of, check_permission
from tests.azure.double.recorder import Recorded, Recorder

ROUTES = (
    *operations.ROUTES,
    *subscriptions.ROUTES,
    *groups.ROUTES,
    *deployment_routes.ROUTES,
    *permissions.ROUTES,
    *storage.ROUTES,
    *workspaces.ROUTES,
    *capacity.ROUTES,
    *container_apps.ROUTES,
    *revisions.ROUTES,
    *resources.ROUTES,
)


class ArmApp:
    """``violations`` are requests that no correct client sends; lists come in pages."""

    def __init__(self, arm: Arm, recorder: Recorder) -> None:
        self.arm = arm
        self.recorder = recorder
        self.violations: list[str] = []
        self.page_size = 100

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        raw = await request.body()
        method, path = request.method, request.url.path
        fault = self.arm.faults.take(method, path)
        if fault is not None and fault.error is None:
            scope["state"]["transport"].abort()
            return
        call = Call(method, path, dict(request.query_params))
        route: Route | None = None
        try:
            if fault is not None and fault.error is not None:
                raise fault.error
            _check_signed_in(request.headers.get("authorization", ""))
            call = Call(method, path, call.query, _parsed(raw))
            route, names = find(ROUTES, method, path)
            call = Call(method, path, call.query, call.body, names)
            reply = self._page(call, self._answer(route, call))
        except ArmError as error:
            if isinstance(error, ContractError) or (route is None and fault is None
                                                    and error.status == 404):  # fmt: skip
                self.violations.append(f"{method} {path}: {error.code}: {error.message}")
            reply = Reply(error.status, {"error": error.body}, error.headers)
        self.recorder.add(
            Recorded(method, path, call.api_version, reply.status, call.body,
                     route.pattern if route else "", request.url.query)
        )  # fmt: skip
        await _response(reply)(scope, receive, send)

    def _answer(self, route: Route, call: Call) -> Reply:
        namespace = call.names.get("namespace", "Microsoft.Resources")
        resource_type = namespace if route.type == "{namespace}" else route.type
        api_versions.check(resource_type, call.api_version)
        action = action_of(call.method, call.path)
        if action is not None:
            check_permission(self.arm.state, action, call.path)
        return route.handler(self.arm, call)

    def _page(self, call: Call, reply: Reply) -> Reply:
        """A part of a long list, with the address of the next part."""
        whole = reply.body.get("value") if isinstance(reply.body, dict) else None
        start = int(call.query.get("$skiptoken", 0))
        if call.method != "GET" or not isinstance(whole, list):
            return reply
        end = start + self.page_size
        body = {**reply.body, "value": whole[start:end]}
        if end < len(whole):
            query = urlencode({**call.query, "$skiptoken": end})
            body["nextLink"] = f"{self.arm.state.origin}{call.path}?{query}"
        return Reply(reply.status, body, reply.headers)


def _check_signed_in(authorization: str) -> None:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ArmError(
            401,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
            headers={"WWW-Authenticate": "Bearer"},
        )


def _parsed(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError as error:
        raise ContractError(
            f"The request content was invalid and could not be deserialized: {error}",
            "InvalidRequestContent",
        ) from None


def _response(reply: Reply) -> Response:
    headers = {"x-ms-request-id": "00000000-0000-0000-0000-000000000000", **reply.headers}
    if reply.body is None:
        return Response(status_code=reply.status, headers=headers)
    return Response(
        json.dumps(reply.body), reply.status, headers, media_type="application/json; charset=utf-8"
    )
