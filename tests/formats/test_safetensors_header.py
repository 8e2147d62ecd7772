from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open

from remora.formats.safetensors_header import BrokenHeader, TensorEntry, read_header


def write(path: Path, header: object, data: bytes = b"") -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    return path


def entry(dtype: str, shape: list[Any], start: Any, stop: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_places_count_from_the_start_of_the_file(tmp_path: Path) -> None:
    header = {"__metadata__": {"format": "pt"}, "a": entry("F32", [2, 3], 0, 24)}
    path = write(tmp_path / "a.safetensors", header, bytes(24))
    start = path.stat().st_size - 24
    assert read_header(path) == {"a": TensorEntry("F32", (2, 3), start, start + 24)}


@pytest.mark.parametrize("shape", [[], [0], [1, 1, 4]])
def test_any_number_of_dimensions(shape: list[int], tmp_path: Path) -> None:
    size = 1
    for n in shape:
        size *= n
    path = write(tmp_path / "a", {"a": entry("U8", shape, 0, size)}, bytes(size))
    assert read_header(path)["a"].shape == tuple(shape)


HUGE = 10**4500
BROKEN: dict[str, tuple[object, str]] = {
    "not JSON": (b"{", "not JSON"),
    "not text": (b"\xff\xfe\xff", "not JSON"),
    "deep": (b"[" * 200_000, "not JSON"),
    "a number of many digits": (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
    "a list": ([], "not a JSON object"),
    "entry is no object": ({"a": 1}, "malformed"),
    "no shape": ({"a": {"dtype": "F32", "data_offsets": [0, 4]}}, "malformed"),
    "one offset": ({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}, "malformed"),
    "shape of text": ({"a": entry("F32", ["x"], 0, 4)}, "malformed"),
    "infinite shape": (b'{"a":{"dtype":"F32","shape":[1e999],"data_offsets":[0,4]}}', "malformed"),
    "unknown dtype": ({"a": entry("F4", [1], 0, 4)}, "unknown dtype"),
    "negative shape": ({"a": entry("F32", [-1, -1], 0, 4)}, "bytes for"),
    "wrong size": ({"a": entry("F32", [2], 0, 4)}, "bytes for"),
    "beyond the end": ({"a": entry("F32", [2], 0, 8)}, "truncated"),
    "before the start": ({"a": entry("F32", [1], -4, 0)}, "truncated"),
    "overlap": ({"a": entry("F32", [1], 0, 4), "b": entry("U8", [2], 2, 4)}, "overlaps"),
    "gap": ({"a": entry("U8", [1], 0, 1), "b": entry("U8", [2], 2, 4)}, "gap"),
    "more than the tensors": ({"a": entry("U8", [2], 0, 2)}, "belong to no tensor"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named(case: str, tmp_path: Path) -> None:
    header, words = BROKEN[case]
    with pytest.raises(BrokenHeader, match=words) as raised:
        read_header(write(tmp_path / "a.safetensors", header, bytes(4)))
    assert "a.safetensors" in str(raised.value)


@pytest.mark.parametrize("data", [b"", b"1234567", b"\xff" * 8, b"\x00\x00\x00\x40\0\0\0\0{}"])
def test_a_length_that_is_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(BrokenHeader):
        read_header(tmp_path / "a")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["F32", "BF16", "U8"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "a"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.binary(max_size=60).map(lambda raw: len(raw).to_bytes(8, "little") + raw),
        st.builds(
            lambda value, data: (
                len(raw := json.dumps(value).encode()).to_bytes(8, "little") + raw + data
            ),
            st.dictionaries(st.text(max_size=3), JSON, max_size=3),
            st.binary(max_size=8),
        ),
    )
)
def test_any_bytes_are_a_header_or_broken(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fuzz"
    path.write_bytes(data)
    try:
        found = read_header(path)
    except BrokenHeader:
        return
    for one in found.values():
        assert 0 <= one.start <= one.stop <= len(data)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    spans=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=4),
    size=st.integers(0, 6),
)
def test_tensors_lie_as_the_reference_implementation_wants_it(
    tmp_path: Path, spans: list[tuple[int, int]], size: int
) -> None:
    header = {
        f"t{number}": entry("U8", [max(stop - start, 0)], start, stop)
        for number, (start, stop) in enumerate(spans)
    }
    path = write(tmp_path / "a.safetensors", header, bytes(size))
    try:
        with safe_open(path, "numpy"):
            expected = True
    except SafetensorError:
        expected = False
    try:
        read_header(path)
        sound = True
    except BrokenHeader:
        sound = False
    assert sound == expected
