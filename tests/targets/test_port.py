from __future__ import annotations

import socket

import pytest

from remora.errors import ConfigError
from remora.targets.port import free_port, port_of, url_of


def test_a_port_is_kept_if_it_is_free() -> None:
    any_port = free_port("127.0.0.1", 0)
    assert free_port("127.0.0.1", 0, last=any_port) == any_port
    assert free_port("127.0.0.1", any_port, last=1) == any_port
    with socket.create_server(("127.0.0.1", any_port)):
        assert free_port("127.0.0.1", 0, last=any_port) not in {0, any_port}
        with pytest.raises(ConfigError, match=str(any_port)):
            free_port("127.0.0.1", any_port)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),  # noqa: S104
        ("::", "http://[::1]:80"),
    ],
)
def test_the_url_reaches_the_address(host: str, url: str) -> None:
    assert url_of(host, 80) == url
    assert port_of(url) == 80
