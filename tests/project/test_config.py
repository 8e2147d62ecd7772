from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from remora.engine.options import EngineOptions
from remora.errors import ConfigError
from remora.project.config import EngineSection, ModelSection, read_config

GOOD = """\
[model]
base = "base"
dtype = "float32"

[adapters]
json = "adapters/json"
tone = { path = "adapters/tone" }

[engine]
max_batch_size = 8

[server]
port = 8000
cors_origins = ["https://example.org"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "remora.toml"


def failure(file: Path, text: str) -> ConfigError:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_config(file)
    return caught.value


def test_a_file_is_read(file: Path) -> None:
    file.write_text(GOOD, encoding="utf-8")
    config = read_config(file)
    assert config.model.dtype == "float32"
    assert {name: adapter.path for name, adapter in config.adapters.items()} == {
        "json": "adapters/json",
        "tone": "adapters/tone",
    }
    assert config.engine.max_batch_size == 8
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8000)
    assert config.server.cors_origins == ("https://example.org",)


@pytest.mark.parametrize(
    ("change", "by", "line", "words"),
    [
        ("port = 8000", "prot = 8000", 13, "[server] prot: unknown key. Did you mean 'port'?"),
        ("[server]", "[sever]", 12, "sever: unknown key. Did you mean 'server'?"),
        ("port = 8000", 'port = "8000"', 13, "[server] port: must be a valid integer, not '8000'"),
        ("port = 8000", "port = 70000", 13, "[server] port: must be less than or equal to 65535"),
        ('"float32"', '"fp32"', 3, "[model] dtype: must be 'auto', 'bfloat16', 'float16'"),
        ("max_batch_size = 8", "max_batch_size = 0", 10, "[engine] max_batch_size: must be gr"),
        ("max_batch_size = 8", "prefix_cache = 1", 10, "[engine] prefix_cache: must be a"),
        ('base = "base"', "", 1, "[model] base: is required"),
        ('tone = { path = "adapters/tone" }', "tone = { pth = 1 }", 7, "[adapters.tone] pth: unk"),
        ('tone = { path = "adapters/tone" }', "tone = 3", 7, "[adapters] tone: must be"),
        ("tone =", '"a b" =', 7, "[adapters] a b: 'a b' is not a usable name"),
        ("cors_origins = [", "cors_origins = [1, ", 14, "[server] cors_origins: must be"),
        ("[server]", "[cod]", 12, "cod: unknown key. Did you mean 'code'?"),
        (
            "[server]",
            '[code]\ninclud = ["x"]\n[server]',
            13,
            "includ: unknown key. Did you mean 'i",
        ),
        ("[server]", '[code]\ninclude = ["../x"]\n[server]', 13, "'../x' must be a path inside"),
        ("[server]", '[code]\ninclude = ["C:/x"]\n[server]', 13, "[code] include: 'C:/x' must be"),
        ("[server]", "[code]\ninclude = []\n[server]", 13, "[code] include: must name a file"),
        ("[server]", '[code]\nrequirements = "/x"\n[server]', 13, "[code] requirements: '/x' m"),
        ("[server]", "[code]\npython = 3.12\n[server]", 13, "[code] python: must be a valid str"),
        ("[server]", '[code]\npython = "3.12.1"\n[server]', 13, "must be a version such as '3.12'"),
        (
            "[server]",
            '[code]\nplatform = "linux"\n[server]',
            13,
            "[code] platform: must be 'linux_",
        ),
    ],
)
def test_a_mistake_is_told_with_file_line_and_key(
    file: Path, change: str, by: str, line: int, words: str
) -> None:
    assert change in GOOD
    message = str(failure(file, GOOD.replace(change, by)))
    assert f"{file}:{line}: " in message
    assert words in message


def test_all_mistakes_are_told_at_once_and_the_known_keys_with_them(file: Path) -> None:
    error = failure(file, '[model]\nbase = "x"\nbse = "y"\n[server]\nport = "z"\n')
    assert len(str(error).splitlines()) == 2
    assert error.hint is not None
    assert "dtype" in error.hint


def test_a_file_that_is_no_toml_is_told_with_its_line(file: Path) -> None:
    assert "at line 2" in str(failure(file, "[model]\nbase = base\n"))


def test_a_file_that_is_no_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        read_config(file)


def test_a_file_that_is_not_there(file: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        read_config(file)


def test_the_file_can_say_all_that_the_engine_can_be_told() -> None:
    written = {
        key: field.default
        for section in (ModelSection, EngineSection)
        for key, field in section.model_fields.items()
        if key not in {"base", "name", "generation_config"}
    }
    assert written == {field.name: field.default for field in fields(EngineOptions)}
