"""Reading calls: what a text means must not depend on how it comes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remora.tools.format import ToolFormat
from remora.tools.hermes import HERMES
from remora.tools.llama import LLAMA
from remora.tools.mistral import MISTRAL
from remora.tools.mistral_args import MISTRAL_ARGS
from remora.tools.parser import ToolParser
from remora.tools.qwen_coder import QWEN_CODER
from remora.tools.recognise import format_of
from remora.tools.tools import Tools

FORMATS = [HERMES, LLAMA, MISTRAL, MISTRAL_ARGS, QWEN_CODER]
NAMES = ["f", "weather"]
TYPES: dict[str, object] = {
    "text": {"type": "string"},
    "choice": {"enum": ["a", "b"]},
    "number": {"type": "integer"},
    "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    "flag": {"type": ["boolean", "null"]},
    "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
    "part": {"$ref": "#/$defs/part"},
}


@dataclass
class Read:
    """What a parser made of a text."""

    content: str
    calls: Sequence[tuple[str | None, str]]


def tools(*, parallel: bool = True) -> Tools:
    parameters = {"type": "object", "properties": TYPES}
    functions = [{"name": name, "parameters": parameters} for name in NAMES]
    return Tools([{"function": function} for function in functions], parallel=parallel)


def read(tool_format: ToolFormat, pieces: list[str], *, parallel: bool = True) -> Read:
    parser = ToolParser(tool_format, tools(parallel=parallel))
    content_read, calls_read = "", list[tuple[str | None, str]]()
    for content, calls in [*(parser.push(piece) for piece in pieces), parser.finish()]:
        content_read += content
        for call in calls:
            if call.id is not None:
                assert re.fullmatch("[A-Za-z0-9]{9}", call.id)
                assert call.index == len(calls_read)
                calls_read.append((call.name, ""))
            name, arguments = calls_read[call.index]
            calls_read[call.index] = (name, arguments + call.arguments)
    assert parser.has_called == bool(calls_read)
    return Read(content_read, calls_read)


@pytest.mark.parametrize(
    ("tool_format", "text", "content", "calls"),
    [
        (HERMES, "Just text.\n", "Just text.\n", []),
        (
            HERMES,
            'Sure.\n<tool_call>\n{"name": "f", "arguments": {"a": "}\\"{"}}\n</tool_call>',
            "Sure.",
            [("f", '{"a": "}\\"{"}')],
        ),
        (
            HERMES,
            (
                '<tool_call>{"arguments": {"x": [1]}, "name": "f"}</tool_call>\n'
                '<tool_call>\n{"name": "g"}\n</tool_call>\nDone'
            ),
            "Done",
            [("f", '{"x": [1]}'), ("g", "{}")],
        ),
        (HERMES, "a <tool_call> is a tag", "a <tool_call> is a tag", []),
        (HERMES, "a <tool_call>{}</tool_call>", "a <tool_call>{}</tool_call>", []),
        (HERMES, "1 <tool 2 <", "1 <tool 2 <", []),
        (HERMES, '<tool_call>{"name": "f", "arguments": {"a": 1', "", [("f", '{"a": 1')]),
        (HERMES, '<tool_call>{"name": "f', '<tool_call>{"name": "f', []),
        (
            HERMES,
            '<tool_call>{"name": "f", "arguments": "{\\"a\\": 1}"}</tool_call>',
            "",
            [("f", '{"a": 1}')],
        ),
        (LLAMA, '{"name": "f", "parameters": {"a": 1}}', "", [("f", '{"a": 1}')]),
        (
            LLAMA,
            (
                '<|python_tag|>{"type": "function", "name": "f", "parameters": {}}; '
                '{"name": "weather", "parameters": {"b": null}}\n'
            ),
            "",
            [("f", "{}"), ("weather", '{"b": null}')],
        ),
        (LLAMA, '{"name": "Ada", "age": 36}', '{"name": "Ada", "age": 36}', []),
        (LLAMA, " Hello {there}", " Hello {there}", []),
        (
            MISTRAL,
            (
                '[TOOL_CALLS] [{"name": "f", "arguments": {"a": [1, {}]}}, '
                '{"name": "g", "arguments": {}}]'
            ),
            "",
            [("f", '{"a": [1, {}]}'), ("g", "{}")],
        ),
        (MISTRAL, "See [TOOL_CALLS] there", "See [TOOL_CALLS] there", []),
        (MISTRAL, 'Well [TOOL_CALLS][{"name": "f"}] so', "Wellso", [("f", "{}")]),
        (
            MISTRAL_ARGS,
            'Well [TOOL_CALLS]f[ARGS]{"a": "]"}[TOOL_CALLS]weather[CALL_ID]a1b2c3d4e[ARGS] {}',
            "Well",
            [("f", '{"a": "]"}'), ("weather", "{}")],
        ),
        (MISTRAL_ARGS, "[TOOL_CALLS]f[ARGS]", "", [("f", "{}")]),
        (MISTRAL_ARGS, "a [TOOL_CALLS]f of g", "a [TOOL_CALLS]f of g", []),
        (
            QWEN_CODER,
            (
                "Sure.\n<tool_call>\n<function=f>\n<parameter=text>\nif a < b:\n\n</p>\n"
                "</parameter>\n<parameter=number>\n12\n</parameter>\n</function>\n</tool_call>\n"
                "<tool_call><function=weather></function></tool_call> Done"
            ),
            "Sure.Done",
            [("f", '{"text": "if a < b:\\n\\n</p>", "number": 12}'), ("weather", "{}")],
        ),
        (
            QWEN_CODER,
            (
                "<tool_call><function=f><parameter=maybe>null</parameter>"
                "<parameter=flag>True</parameter><parameter=choice>\na\n</parameter>"
                '<parameter=parts>[{"x": 1}]</parameter><parameter=part>none</parameter>'
                "<parameter=other>7</parameter></function></tool_call>"
            ),
            "",
            [
                (
                    "f",
                    (
                        '{"maybe": null, "flag": true, "choice": "a", "parts": [{"x": 1}],'
                        ' "part": "none", "other": "7"}'
                    ),
                )
            ],
        ),
        (
            QWEN_CODER,
            "<tool_call>\n<function=f>\n<parameter=text>\nOn and",
            "",
            [("f", '{"text": "On and')],
        ),
        (QWEN_CODER, "a <tool_call> is no call", "a <tool_call> is no call", []),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_calls_and_content(
    tool_format: ToolFormat, text: str, content: str, calls: list[tuple[str, str]], size: int
) -> None:
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert read(tool_format, pieces) == Read(content, calls)


def test_without_parallel_the_first_call_counts_alone() -> None:
    text = '[TOOL_CALLS][{"name": "f", "arguments": {}}, {"name": "g", "arguments": {"a": 1}}]'
    assert read(MISTRAL, [text], parallel=False).calls == [("f", "{}")]


def test_a_call_comes_as_soon_as_it_is_certain() -> None:
    parser = ToolParser(HERMES, tools())
    seen = []
    for piece in ("Hi ", "<tool", '_call>{"name": "', 'f", ', '"arguments": {"a"', ": 1", "}}"):
        content, calls = parser.push(piece)
        seen.append((content, [(call.name, call.arguments) for call in calls]))
    assert seen == [
        ("Hi", []),
        ("", []),
        ("", []),
        ("", [("f", "")]),
        ("", [(None, '{"a"')]),
        ("", [(None, ": 1")]),
        ("", [(None, "}")]),
    ]


def written(tool_format: ToolFormat, calls: list[tuple[str, dict[str, object]]]) -> str:
    if tool_format is MISTRAL_ARGS:
        return "".join(f"[TOOL_CALLS]{name}[ARGS]{json.dumps(each)}" for name, each in calls)
    key = "parameters" if tool_format is LLAMA else "arguments"
    texts = [json.dumps({"name": name, key: arguments}) for name, arguments in calls]
    if tool_format is HERMES:
        return "\n".join(f"<tool_call>\n{text}\n</tool_call>" for text in texts)
    return "; ".join(texts) if tool_format is LLAMA else f"[TOOL_CALLS][{', '.join(texts)}]"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
objects = st.dictionaries(st.text(max_size=5), values, max_size=3)


def split(text: str, places: list[int]) -> list[str]:
    ends = sorted({place % (len(text) + 1) for place in places} | {len(text)})
    return [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]


places = st.lists(st.integers(0, 10_000), max_size=12)


@given(
    st.sampled_from([HERMES, LLAMA, MISTRAL, MISTRAL_ARGS]),
    st.lists(st.tuples(st.sampled_from(NAMES), objects), min_size=1, max_size=3),
    places,
)
def test_what_was_written_is_read_however_it_is_split(
    tool_format: ToolFormat, calls: list[tuple[str, dict[str, object]]], cuts: list[int]
) -> None:
    got = read(tool_format, split(written(tool_format, calls), cuts))
    assert got.content == ""
    assert [(name, json.loads(arguments)) for name, arguments in got.calls] == calls


typed = st.fixed_dictionaries(
    {},
    optional={
        "text": st.text(max_size=8),
        "number": st.integers(),
        "flag": st.booleans() | st.none(),
        "parts": st.lists(objects, max_size=2),
        "part": objects,
    },
)


@given(st.lists(st.tuples(st.sampled_from(NAMES), typed), min_size=1, max_size=3), places)
def test_what_was_written_as_tags_is_read_however_it_is_split(
    calls: list[tuple[str, dict[str, object]]], cuts: list[int]
) -> None:
    def tagged(name: str, value: object) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return f"<parameter={name}>\n{text}\n</parameter>\n"

    text = "".join(
        f"<tool_call>\n<function={name}>\n"
        + "".join(tagged(*each) for each in arguments.items())
        + "</function>\n</tool_call>\n"
        for name, arguments in calls
    )
    got = read(QWEN_CODER, split(text, cuts))
    assert got.content == ""
    assert [(name, json.loads(arguments)) for name, arguments in got.calls] == calls


fragments = st.lists(
    st.sampled_from(
        [
            "<tool_call>", "</tool_call>", "[TOOL_CALLS]", "<|python_tag|>", "{", "}", "[", "]",
            '"name"', '"arguments"', '"parameters"', ": ", ", ", '"f"', '"weather"', '"x', "\\",
            '"', "\n", " ", "; ", "text", "<tool", "12", "[ARGS]", "[CALL_ID]",
            "<function=", "f", ">", "</function>", "<parameter=", "</parameter>",
            '{"name": "f", "arguments": {"a": 1}}',
        ]
    )
    | st.text(max_size=3),
    max_size=14,
)  # fmt: skip


@given(st.sampled_from(FORMATS), fragments, places)
def test_any_split_of_any_text_gives_the_same(
    tool_format: ToolFormat, parts: list[str], cuts: list[int]
) -> None:
    text = "".join(parts)
    whole = read(tool_format, [text])
    assert read(tool_format, split(text, cuts)) == whole
    assert read(tool_format, list(text)) == whole


@given(st.sampled_from(FORMATS), st.text(st.characters(exclude_characters="<[{")))
def test_text_without_a_marker_is_content_as_it_is(tool_format: ToolFormat, text: str) -> None:
    assert read(tool_format, list(text)) == Read(text, [])


@pytest.mark.parametrize(
    ("template", "tool_format"),
    [
        ("{% if tools %}return <tool_call> tags{% endif %}", HERMES),
        ("{% if tools %}<tool_call>\n<function=name>{% endif %}", None),
        ("{% if tools %}<tool_call>\n<function=f>\n<parameter=p>{% endif %}", QWEN_CODER),
        ("{{ '[TOOL_CALLS]' + (calls | tojson) }}", MISTRAL),
        ("{{ '[TOOL_CALLS]' + name + '[ARGS]' }}", MISTRAL_ARGS),
        ('{{- "<|python_tag|>" + tool_call.name }}', LLAMA),
        ('{{- "Environment: ipython\\n" }}', LLAMA),
        ("{% for t in tools %}{{ t }}{% endfor %}", None),
    ],
)
def test_a_format_is_known_by_its_template(template: str, tool_format: ToolFormat | None) -> None:
    assert format_of(template) is tool_format
