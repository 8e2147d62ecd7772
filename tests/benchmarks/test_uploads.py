from __future__ import annotations

import os
from pathlib import Path

from benchmarks.uploads import large_file, many_files


def test_uploads_are_measured_and_clean_up(tmp_path: Path) -> None:
    large = large_file(tmp_path, 20 / 1024)
    assert min(large.copied, large.uploaded, large.again) > 0
    assert os.listdir(tmp_path) == ["large.bin"]  # noqa: PTH208  names alone


def test_an_archive_makes_fewer_calls_than_its_files(tmp_path: Path) -> None:
    single, packed = many_files(tmp_path, 100)
    assert packed < single
