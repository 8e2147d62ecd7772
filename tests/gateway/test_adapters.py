"""The admin API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.gateway.conftest import Endpoint, Serve


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("good", "empty"):
        (tmp_path / "share" / name).mkdir(parents=True)
    (tmp_path / "share" / "good" / "adapter_config.json").write_text("{}")
    (tmp_path / "secret").mkdir()
    return tmp_path / "share"


def ids(endpoint: Endpoint) -> list[str]:
    return [m["id"] for m in endpoint.http.get("/admin/adapters").json()["data"]]


def test_a_life(serve: Serve, root: Path) -> None:
    endpoint = serve()
    path = str(root / "good")
    assert "new" not in ids(endpoint)
    added = endpoint.http.post("/admin/adapters", json={"name": "new", "path": path})
    assert added.status_code == 201
    assert (added.json()["id"], added.json()["parent"]) == ("new", "base")
    assert endpoint.chat("hi", model="new").status_code == 200
    again = endpoint.http.post("/admin/adapters", json={"name": "new", "path": path})
    assert again.status_code == 409
    assert again.json()["error"]["type"] == "conflict_error"
    body = {"name": "new", "path": path, "replace": True}
    assert endpoint.http.post("/admin/adapters", json=body).status_code == 201
    assert endpoint.http.put("/admin/adapters/new", json={"path": path}).status_code == 200
    assert endpoint.http.delete("/admin/adapters/new").json()["deleted"] is True
    assert endpoint.http.delete("/admin/adapters/new").status_code == 404
    assert endpoint.chat("hi", model="new").status_code == 404


def test_a_stream_outlives_its_adapter(serve: Serve) -> None:
    endpoint = serve()
    body: Any = {"model": "support", "stream": True, "max_tokens": 20}
    body["messages"] = [{"role": "user", "content": "slow"}]
    with endpoint.http.stream("POST", "/v1/chat/completions", json=body) as response:
        lines = response.iter_lines()
        next(lines)
        assert endpoint.openai.models.retrieve("support").id == "support"
        assert endpoint.http.delete("/admin/adapters/support").status_code == 200
        assert list(lines)[-2] == "data: [DONE]"


def test_a_broken_adapter_is_refused(serve: Serve, root: Path) -> None:
    response = serve().http.put("/admin/adapters/new", json={"path": str(root / "empty")})
    assert response.status_code == 400
    assert "adapter_config.json" in response.json()["error"]["message"]


@pytest.mark.parametrize("name", ["-x", ".hidden", "a b", "x" * 129, "a\n", "%2e%2e", "ü"])
def test_names(endpoint: Endpoint, root: Path, name: str) -> None:
    body = {"name": name, "path": str(root / "good")}
    response = endpoint.http.post("/admin/adapters", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "name"


@pytest.mark.parametrize("name", ["-x", "%20", "a%0A", "%00"])
def test_names_in_the_path(endpoint: Endpoint, root: Path, name: str) -> None:
    body = {"path": str(root / "good")}
    response = endpoint.http.put(f"/admin/adapters/{name}", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "name"


@pytest.mark.parametrize("path", ["", "relative", "/no/such/folder", "/a\0b", "x" * 4097, 5, None])
def test_paths(endpoint: Endpoint, path: Any) -> None:
    response = endpoint.http.post("/admin/adapters", json={"name": "new", "path": path})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "path"


def test_paths_stay_in_the_root(serve: Serve, root: Path) -> None:
    endpoint = serve(adapter_root=root)
    (root / "link").symlink_to(root.parent / "secret")

    def status(path: str | Path) -> int:
        return endpoint.http.put("/admin/adapters/new", json={"path": str(path)}).status_code

    assert status("good") == 200
    assert status(root / "good") == 200
    assert status("../secret") == 400
    assert status(root.parent / "secret") == 400
    assert status("link") == 400
