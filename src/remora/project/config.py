"""``remora.toml``: its keys, and how mistakes in it are told to the user."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from remora.errors import ConfigError
from remora.formats.prompt_template import parse_prompt
from remora.project.names import NAME_PATTERN
from remora.project.toml_lines import key_lines, line_of

CONFIG_FILE = "remora.toml"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Positive = Annotated[int, Field(gt=0)]


class Section(BaseModel):
    """What all tables share: no unknown keys, no guessing of types."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ModelSection(Section):
    """The base model."""

    base: str = Field(
        description="Folder of the base model (Hugging Face layout, safetensors), relative to"
        " this file."
    )
    name: Name | None = Field(
        None,
        examples=["my-model"],
        description="Name under which it is served. Unset: the folder's name.",
    )
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = Field(
        "auto", description="Type of the weights in memory. `auto` measures what is fast here."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Where it runs. `auto` takes the GPU if there is one."
    )
    context_length: Positive | None = Field(
        None,
        examples=[4096],
        description="Tokens of prompt and answer together. Unset: the model's own limit.",
    )
    generation_config: bool = Field(
        True,
        description="Whether a request that says nothing of temperature, top_p, top_k, min_p or"
        " repetition_penalty gets what the model's `generation_config.json` says.",
    )
    trust_remote_code: bool = Field(
        False,
        description="Whether a model may run Python code that comes with it. Read it before.",
    )


def _from_path(value: Any) -> Any:
    return {"path": value} if isinstance(value, str) else value


def _as_prompt(text: str) -> str:
    parse_prompt(text)
    return text


class AdapterSection(Section):
    """One adapter: its folder, or a table with the key `path`."""

    path: str = Field(description="Folder of the adapter (PEFT layout), relative to this file.")
    prompt_template: Annotated[str, AfterValidator(_as_prompt)] | None = Field(
        None,
        examples=["### Text: {}\\n### The tone is:\\n"],
        description="What the adapter was trained to see around a message: text with one `{}`."
        " Unset: the chat template of the adapter, or else of the base.",
    )


class EngineSection(Section):
    """How much is done at once. Unset keys are chosen for the machine and the model."""

    kv_cache_tokens: Positive | None = Field(
        None,
        examples=[16384],
        description="Tokens that the KV cache holds, of all requests together.",
    )
    max_batch_size: Positive = Field(32, description="Requests that run at once.")
    max_queue: Annotated[int, Field(ge=0)] = Field(
        256, description="Requests that may wait; further ones are refused with status 429."
    )
    prefill_chunk: Positive | None = Field(
        None,
        examples=[512],
        description="Prompt tokens of one step at most: smaller means that running streams wait"
        " less for a newcomer's prompt.",
    )
    prefix_cache: bool = Field(
        True, description="Whether what prompts have in common is computed once."
    )
    max_resident_adapters: Positive = Field(
        64, description="Adapters kept in memory; the others wait on disk and load on first use."
    )
    max_lora_rank: Positive = Field(256, description="Adapters of a higher rank are refused.")
    threads: Positive | None = Field(None, examples=[4], description="CPU threads of one step.")


class ServerSection(Section):
    """The endpoint. Keys are secrets and never stand in this file: name variables instead."""

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. Any but this machine's own requires an API key.",
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        7860, description="Port to listen on; 0 takes a free one."
    )
    cors_origins: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description="Web origins whose pages may call the endpoint from a browser."
    )
    allowed_hosts: Annotated[tuple[str, ...], Field(strict=False)] = Field(
        (), description="Host names, besides this machine's own, that a keyless endpoint answers."
    )
    max_body_bytes: Positive = Field(8 * 1024 * 1024, description="Size of a request at most.")
    request_timeout: Annotated[float, Field(gt=0)] | None = Field(
        None, examples=[600.0], description="Seconds after which an answer is ended. Unset: never."
    )
    drain_timeout: Annotated[float, Field(gt=0)] = Field(
        30.0, description="Seconds that running answers get to end when the server is stopped."
    )
    adapter_root: str | None = Field(
        None,
        examples=["adapters"],
        description="Folder, relative to this file, that the admin API takes adapters from."
        " Unset: any folder that the server can read.",
    )
    api_key_env: str = Field(
        "REMORA_API_KEY", description="Environment variable that holds the API key."
    )
    admin_key_env: str = Field(
        "REMORA_ADMIN_KEY",
        description="Environment variable that holds the key of the admin API.",
    )


def _as_inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or ".." in parts or {"\\", ":"} & set(path):
        raise ValueError(f"{path!r} must be a path inside of the project, with slashes")
    return PurePosixPath(path).as_posix()


def _as_python(version: str) -> str:
    if not re.fullmatch(r"3\.\d+", version):
        raise ValueError(f"{version!r} must be a version such as '3.12'")
    return version


def _some(paths: tuple[str, ...]) -> tuple[str, ...]:
    if not paths:
        raise ValueError("must name a file or a folder")
    return paths


class CodeSection(Section):
    """Code of your own that travels with a release. Without this table none does."""

    include: Annotated[
        tuple[Annotated[str, AfterValidator(_as_inside)], ...],
        Field(strict=False),
        AfterValidator(_some),
    ] = Field(
        ("inference",),
        description="Files and folders, relative to this file. They keep their paths;"
        " `.remoraignore` says what stays at home.",
    )
    requirements: Annotated[str, AfterValidator(_as_inside)] | None = Field(
        None,
        examples=["requirements.txt"],
        description="File with what the code needs, in pip's syntax; it travels with the code."
        " Unset: nothing.",
    )
    python: Annotated[str, AfterValidator(_as_python)] | None = Field(
        None,
        examples=["3.12"],
        description="Python that will run it. Unset: the target's.",
    )
    platform: (
        Literal["linux_x86_64", "linux_aarch64", "macosx_x86_64", "macosx_arm64", "win_amd64"]
        | None
    ) = Field(
        None,
        examples=["linux_x86_64"],
        description="System and processor that will run it. Unset: the target's.",
    )


class ContainerSection(Section):
    """The containers in the cloud, if their images are others than Remora's defaults."""

    python: Annotated[str, AfterValidator(_as_python)] = Field(
        "3.11",
        description="Python of the images, of the server's and of the front's. Remora and its"
        " packages are built for it.",
    )
    has_remora: bool = Field(
        False,
        description="Whether the images have Remora inside, as the Dockerfile's has: nothing is"
        " brought to them.",
    )


class Config(Section):
    """All of ``remora.toml``."""

    model: ModelSection
    adapters: dict[
        Name,
        Annotated[
            AdapterSection,
            BeforeValidator(_from_path, json_schema_input_type=str | AdapterSection),
        ],
    ] = Field(default_factory=dict)
    engine: EngineSection = Field(default_factory=EngineSection)
    server: ServerSection = Field(default_factory=ServerSection)
    code: CodeSection | None = None
    container: ContainerSection = Field(default_factory=ContainerSection)


def read_config(path: Path) -> Config:
    """Read a ``remora.toml``; raises `ConfigError` naming file, line, key and what is meant."""
    try:
        text = path.read_text(encoding="utf-8")
        raw = tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        found = [_explain(path, text, detail) for detail in error.errors(include_url=False)]
        raise ConfigError(
            "\n".join(message for message, _ in found),
            hint=next((hint for _, hint in found if hint), None),
        ) from error


def where(path: Path, text: str, key: Sequence[str]) -> str:
    """``remora.toml:7: [server] port``, as editors link it."""
    line = line_of(key_lines(text), tuple(key))
    table = f"[{'.'.join(key[:-1])}] " if len(key) > 1 else ""
    return f"{path}{f':{line}' if line else ''}: {table}{key[-1]}"


def _explain(path: Path, text: str, detail: ErrorDetails) -> tuple[str, str | None]:
    key = [part for part in detail["loc"] if isinstance(part, str) and part != "[key]"]
    place = where(path, text, key)
    match detail["type"]:
        case "extra_forbidden":
            known = _known_keys(Config, key[:-1])
            near = difflib.get_close_matches(key[-1], known, n=1)
            also = f" Did you mean '{near[0]}'?" if near else ""
            table = f"[{'.'.join(key[:-1])}]" if key[:-1] else "remora.toml"
            return f"{place}: unknown key.{also}", f"{table} knows: {', '.join(known)}."
        case "missing":
            return f"{place}: is required", "`remora init` writes a file to start from."
        case "string_pattern_mismatch":
            return f"{place}: {detail['input']!r} is not a usable name", (
                "Names begin with a letter or digit, and hold letters, digits, '.', '_' and '-'."
            )
        case "value_error":
            return f"{place}: {detail['ctx']['error']}", None
        case _:
            got = "" if isinstance(detail["input"], dict) else f", not {detail['input']!r}"
            return f"{place}: {_wanted(detail)}{got}", None


def _wanted(detail: ErrorDetails) -> str:
    return detail["msg"].removeprefix("Input ").replace("should be", "must be")


def _known_keys(model: type[BaseModel], key: Sequence[str]) -> list[str]:
    """The keys of the table that `key` leads to."""
    if not key:
        return list(model.model_fields)
    sections: Mapping[str, type[BaseModel]] = {
        "model": ModelSection,
        "adapters": AdapterSection,
        "engine": EngineSection,
        "server": ServerSection,
        "code": CodeSection,
        "container": ContainerSection,
    }
    return list(sections[key[0]].model_fields)
