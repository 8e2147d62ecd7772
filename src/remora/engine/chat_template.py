"""Chat templates: Jinja programs that turn messages into the prompt a model was trained on.

The environment is the one that Hugging Face documents for template authors
(https://huggingface.co/docs/transformers/chat_templating_writing), sandboxed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NoReturn

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.meta import find_undeclared_variables
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from remora.errors import ModelError, RequestError

# What a template's expressions may raise when the messages are not what it expects.
_FAULTS = (
    TemplateError,
    TypeError,
    ValueError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


class _Generation(Extension):
    """The block ``{% generation %}``, by which training finds the answers: here its body alone."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """A compiled template with the special tokens that it may name.

    ``takes_tools`` tells whether it can write tools into a prompt.
    """

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise
        environment.globals["strftime_now"] = lambda form: (
            datetime.now().astimezone().strftime(form)
        )
        self.source = source
        try:
            self._template = environment.from_string(source)
            # What a template does not name it can't write.
            self.takes_tools = "tools" in find_undeclared_variables(environment.parse(source))
        except TemplateSyntaxError as error:
            raise ModelError(
                f"the chat template is broken at line {error.lineno}: {error}"
            ) from error
        self._special_tokens = dict(special_tokens)

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        add_generation_prompt: bool,
        variables: Mapping[str, Any],
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> str:
        """The prompt for messages; raises `RequestError` if the template refuses them."""
        try:
            return self._template.render(
                {
                    # Templates may ask whether these are none, and not whether they are defined.
                    "documents": None,
                    **self._special_tokens,
                    **variables,
                    "tools": tools,
                    "messages": list(messages),
                    "add_generation_prompt": add_generation_prompt,
                }
            )
        except _FAULTS as error:
            raise RequestError(
                f"The chat template refuses these messages: {error}", param="messages"
            ) from error


def _raise(message: str) -> NoReturn:
    raise TemplateError(message)


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes HTML, which a prompt must not be.
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )
