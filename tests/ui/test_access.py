"""Who may use the pages, over HTTP, before any page is there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from remora.ui.site import Site
from tests.fake_endpoint import FakeEndpoint

KEY = "a-key-of-the-endpoint"


@pytest.fixture(scope="module")
def locked() -> Iterator[FakeEndpoint]:
    with FakeEndpoint(KEY) as fake:
        yield fake


@pytest.fixture
async def site(locked: FakeEndpoint) -> AsyncIterator[Site]:
    site = Site(locked.url)
    yield site
    await site.access.endpoint.close()


def client(site: Site, host: str = "127.0.0.1:7", peer: str = "127.0.0.1") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(site, client=(peer, 5))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


async def test_the_key_is_asked_for_once_and_stays_in_the_server(site: Site) -> None:
    async with client(site) as http:
        page = await http.get("/")
        assert 'type="password"' in page.text
        assert (await http.get("/config")).status_code == 401
        assert (await http.post("/gradio_api/upload")).status_code == 401
        wrong = await http.post("/sign-in", data={"key": "wrong"})
        assert wrong.status_code == 401
        assert "not a key of this endpoint" in wrong.text
        right = await http.post("/sign-in", data={"key": KEY})
        assert right.status_code == 303
        cookie = right.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        after = await http.get("/")
        assert "password" not in after.text
        assert KEY not in "".join(
            [page.text, wrong.text, right.text, str(right.headers), after.text]
        )
        await http.post("/sign-out")
        assert 'type="password"' in (await http.get("/")).text
    assert KEY not in repr(site.access)


@pytest.mark.parametrize(
    ("headers", "ending"),
    [
        ({}, "SameSite=Strict"),
        ({"Sec-Fetch-Dest": "document"}, "SameSite=Strict"),
        ({"X-Forwarded-Proto": "https"}, "SameSite=Strict; Secure"),
        ({"Sec-Fetch-Dest": "iframe"}, "Secure; SameSite=None; Partitioned"),
    ],
)
async def test_no_other_site_can_have_the_cookie_sent(
    site: Site, headers: dict[str, str], ending: str
) -> None:
    async with client(site) as http:
        answer = await http.post("/sign-in", data={"key": KEY}, headers=headers)
    assert answer.headers["set-cookie"].endswith(f"; Path=/; HttpOnly; {ending}")


async def test_what_is_not_there_asks_no_key_of_an_endpoint_that_has_none() -> None:
    with FakeEndpoint() as fake:
        site = Site(fake.url)
        async with client(site) as http:
            assert (await http.get("/nothing")).status_code == 404
            await http.get("/")
            assert (await http.get("/nothing")).status_code == 404
        await site.access.endpoint.close()


async def test_nothing_is_prepared_before_somebody_signs_in(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = threading.Event()
    monkeypatch.setattr(Site, "_build", lambda *_: built.set())
    running = asyncio.create_task(site.run())
    async with client(site) as http:
        assert 'type="password"' in (await http.get("/")).text
        await http.post("/sign-in", data={"key": KEY})
        assert not built.is_set()
        assert "goes on by itself" in (await http.get("/")).text
    assert await asyncio.to_thread(built.wait, 10)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_release_is_told_to_whoever_has_an_api_key(site: Site) -> None:
    with_key = site.access.endpoint.with_key(KEY)
    assert await with_key.release() == {"release": "5eed5eed5eed"}
    assert await site.access.endpoint.release() is None


async def test_other_origins_may_not_sign_in(site: Site) -> None:
    async with client(site) as http:
        refused = await http.post(
            "/sign-in", data={"key": KEY}, headers={"Origin": "http://evil.example"}
        )
    assert refused.status_code == 403


async def test_a_form_is_bounded(site: Site) -> None:
    async with client(site) as http:
        assert (await http.post("/sign-in", content=b"key=" + b"x" * 9999)).status_code == 413


@pytest.mark.parametrize(
    ("host", "peer", "origin"),
    [
        ("evil.example", "127.0.0.1", ""),
        ("127.0.0.1:7", "192.0.2.1", ""),
        ("127.0.0.1:7", "127.0.0.1", "http://evil.example"),
    ],
)
async def test_without_a_key_only_this_machine_s_own_pages_may_ask(
    host: str, peer: str, origin: str
) -> None:
    with FakeEndpoint() as fake:
        site = Site(fake.url)
        assert await site.access.find_out() is False
        async with client(site, host, peer) as http:
            answer = await http.get("/", headers={"Origin": origin} if origin else {})
        async with client(site) as http:
            own = await http.get("/", headers={"Origin": "http://127.0.0.1:7"})
        await site.access.endpoint.close()
    assert answer.status_code == 403
    assert own.status_code == 200


async def test_what_is_waited_for_is_told() -> None:
    site = Site("http://127.0.0.1:9")
    async with client(site) as http:
        assert "goes on by itself" in (await http.get("/")).text
        state = (await http.get("/ui/state")).json()
    await site.access.endpoint.close()
    assert not state["go"]
    assert "Nothing answers at http://127.0.0.1:9" in state["detail"]
