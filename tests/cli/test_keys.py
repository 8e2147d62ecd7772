from __future__ import annotations

from pathlib import Path

import pytest

from remora.cli.keys import Keys, keys_for, read_keys
from remora.errors import ConfigError
from remora.loopback import is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_this_machine_alone_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    assert keys_for(host, (), ("admin",)) == Keys((), ("admin",))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "laptop", "localhost.example"])  # noqa: S104
def test_others_need_a_key_and_one_is_made_once(host: str) -> None:
    assert not is_loopback(host)
    first, second = keys_for(host, (), ()), keys_for(host, (), ())
    assert first.made is not None
    assert first.api == (first.made,)
    assert len(first.made) >= 40
    assert first.made != second.made
    assert keys_for(host, ("given",), ()) == Keys(("given",), ())


def test_keys_come_from_a_variable_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("one\n\n two \n", encoding="utf-8")
    assert read_keys("KEY", file, {"KEY": "other"}) == ("one", "two")
    assert read_keys("KEY", None, {"KEY": "other\n"}) == ("other",)
    assert read_keys("KEY", None, {"KEY": "new", "KEY_2": "old"}) == ("new", "old")
    assert read_keys("KEY", None, {"KEY_2": "old"}) == ("old",)
    assert read_keys("KEY", None, {"KEY": "", "KEY_2": " "}) == ()
    assert read_keys("KEY", None, {}) == ()


@pytest.mark.parametrize("content", [b"", b" \n", b"with space", "schlüssel".encode(), b"\xff"])
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match="keys") as caught:
        read_keys("KEY", file)
    assert "space" not in str(caught.value).replace("spaces", "")
    with pytest.raises(ConfigError, match="can't be read"):
        read_keys("KEY", tmp_path / "missing")


def test_keys_are_never_shown_by_accident() -> None:
    assert "geheim" not in repr(Keys(("geheim",), ("geheim",), "geheim"))
