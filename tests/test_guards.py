"""The guards of conftest.py hold."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


def test_nothing_but_this_machine_is_reached() -> None:
    with pytest.raises(pytest.fail.Exception, match="look up"):
        socket.create_connection(("example.org", 80))
    with socket.socket() as client, pytest.raises(pytest.fail.Exception, match="reach 192"):
        client.connect(("192.0.2.1", 80))
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()


def test_the_home_folder_is_one_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert tmp_path_factory.getbasetemp() in Path.home().parents
    assert [name for name in os.environ if name.startswith("REMORA_")] == ["REMORA_UI"]
