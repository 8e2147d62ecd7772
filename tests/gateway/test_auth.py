"""Who is answered: a table of settings, paths, keys and headers."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from remora.gateway.auth import AuthMiddleware
from remora.gateway.errors import Forbidden
from remora.gateway.settings import GatewaySettings
from tests.gateway.conftest import Endpoint, Serve

KEYS = {"api_keys": ("alpha", "beta-\u00e9"), "admin_keys": ("root",)}


@pytest.fixture(scope="module")
def keyed() -> Any:
    from tests.gateway.scripted_backend import ScriptedBackend

    endpoint = Endpoint(ScriptedBackend(), GatewaySettings(**KEYS, drain_timeout=0.1))  # type: ignore[arg-type]
    yield endpoint
    endpoint.stop()


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/livez", None, 200),
        ("/readyz", None, 200),
        ("/v1/models", None, 401),
        ("/v1/models", "alpha", 200),
        ("/v1/models", "beta-\u00e9", 200),
        ("/v1/models", "alph", 401),
        ("/v1/models", "alphaa", 401),
        ("/v1/models", "root", 401),
        ("/metrics", None, 401),
        ("/metrics", "alpha", 200),
        ("/metrics", "root", 200),
        ("/openapi.json", None, 401),
        ("/no/such/route", None, 401),
        ("/no/such/route", "alpha", 404),
        ("/admin/adapters", None, 401),
        ("/admin/adapters", "wrong", 401),
        ("/admin/adapters", "alpha", 403),
        ("/admin/adapters", "root", 200),
        ("/admin", "alpha", 403),
    ],
)
def test_keys(keyed: Endpoint, path: str, key: str | None, status: int) -> None:
    headers = {} if key is None else {"Authorization": f"Bearer {key}".encode()}
    response = keyed.http.get(path, headers=headers)  # type: ignore[arg-type]
    assert response.status_code == status
    assert (response.headers.get("www-authenticate") == "Bearer") == (status == 401)
    if status == 401:
        error = response.json()["error"]
        assert (error["type"], error["code"]) == ("authentication_error", "invalid_api_key")


@pytest.mark.parametrize(
    "value", ["alpha", "Basic alpha", "Bearer", "Bearer alpha beta", "Token alpha"]
)
def test_only_bearer_keys(keyed: Endpoint, value: str) -> None:
    assert keyed.http.get("/v1/models", headers={"Authorization": value}).status_code == 401


def test_the_openai_client_raises(keyed: Endpoint) -> None:
    assert keyed.openai.models.list().data
    wrong = keyed.openai.with_options(api_key="wrong")
    with pytest.raises(openai.AuthenticationError):
        wrong.models.list()
    with pytest.raises(openai.AuthenticationError):
        wrong.chat.completions.create(model="base", messages=[])


def test_with_a_key_the_host_and_origin_do_not_matter(keyed: Endpoint) -> None:
    headers = {"Authorization": "Bearer alpha", "Host": "models.example", "Origin": "http://a.b"}
    assert keyed.http.get("/v1/models", headers=headers).status_code == 200


def test_the_admin_api_is_off_without_an_admin_key(serve: Serve) -> None:
    endpoint = serve(api_keys=("alpha",))
    response = endpoint.http.get("/admin/adapters", headers={"Authorization": "Bearer alpha"})
    assert response.status_code == 403
    assert "no admin key" in response.json()["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/models", "/admin/adapters", "/metrics"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "app.localhost"}, 200),
        ({"Host": "127.0.0.2"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "[::ffff:127.0.0.1]"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "192.168.0.7"}, 403),
        ({"Host": "localhost:8000", "Origin": "http://localhost:8000"}, 200),
        ({"Host": "localhost:8000", "Origin": "http://localhost:9000"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
    ids=str,
)
def test_without_keys_only_this_machine(
    endpoint: Endpoint, path: str, headers: dict[str, str], status: int
) -> None:
    assert endpoint.http.get(path, headers=headers).status_code == status


def test_other_hosts_can_be_allowed(serve: Serve) -> None:
    endpoint = serve(allowed_hosts=("my.box",))
    assert endpoint.http.get("/v1/models", headers={"Host": "my.box:80"}).status_code == 200


@pytest.mark.parametrize("peer", [("192.168.0.7", 1), ("fe80::1", 1), None])
async def test_without_keys_other_machines_are_refused(peer: Any) -> None:
    async def app(*_: Any) -> None:
        pytest.fail("the request went through")

    middleware = AuthMiddleware(app, GatewaySettings())
    scope = {
        "type": "http",
        "path": "/v1/models",
        "client": peer,
        "headers": [(b"host", b"localhost")],
    }
    with pytest.raises(Forbidden):
        await middleware(scope, None, None)  # type: ignore[arg-type]


def test_cors_is_off_by_default(endpoint: Endpoint) -> None:
    preflight = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}
    response = endpoint.http.options("/v1/chat/completions", headers=preflight)
    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_cors_for_the_origins_that_are_permitted(serve: Serve) -> None:
    endpoint = serve(cors_origins=("https://app.example",), api_keys=("alpha",))
    preflight = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    allowed = endpoint.http.options("/v1/chat/completions", headers=preflight)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    refused = endpoint.http.get("/v1/models", headers={"Origin": "https://app.example"})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == "https://app.example"
    other = endpoint.http.options(
        "/v1/chat/completions", headers={**preflight, "Origin": "https://evil.example"}
    )
    assert "access-control-allow-origin" not in other.headers


def test_permitted_origins_do_not_reach_a_keyless_admin_api(serve: Serve) -> None:
    endpoint = serve(cors_origins=("*",))
    headers = {"Origin": "https://app.example"}
    assert endpoint.http.get("/v1/models", headers=headers).status_code == 200
    assert endpoint.http.get("/admin/adapters", headers=headers).status_code == 403


def test_settings_do_not_show_keys() -> None:
    assert "alpha" not in repr(GatewaySettings(api_keys=("alpha",), admin_keys=("root",)))
