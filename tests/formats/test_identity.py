"""The identity of an adapter's version: its digest, and the stamp that tells a later change."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from remora.errors import AdapterBroken
from remora.formats import adapter_config
from remora.formats.adapter_config import adapter_digest, identify_adapter, version_digest


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 200])
def test_a_digest_is_the_same_however_the_files_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    files = {"adapter_config.json": b"{}", "adapter_model.safetensors": bytes(range(size))}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    expected = version_digest({n: hashlib.sha256(d).hexdigest() for n, d in files.items()})
    assert adapter_digest(tmp_path) == expected
    monkeypatch.setattr(adapter_config, "_PIECE", 64)
    assert adapter_digest(tmp_path) == expected
    assert identify_adapter(tmp_path).digest == expected


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}", "utf-8")
    with pytest.raises(AdapterBroken, match=r"adapter_model\.safetensors can't be read"):
        identify_adapter(tmp_path)
