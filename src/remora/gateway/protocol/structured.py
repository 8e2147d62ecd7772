"""Parameters that bound what an answer may be: OpenAI's, and vLLM's."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue, StringConstraints

from remora.errors import RequestError
from remora.gateway.protocol.body import Body
from remora.grammar.expression import Constraint, Expression, Json, Lark, OneOf, Regex
from remora.grammar.expression import Literal as Text

ANY_OBJECT = Json('{"type": "object"}')

Schema = dict[str, JsonValue]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Choice = Annotated[str, StringConstraints(min_length=1)]


class JsonSchemaFormat(Body):
    """A JSON schema with a name. It is followed whether it is ``strict`` or not."""

    name: Name
    description: str | None = None
    schema_: Schema | None = Field(None, alias="schema", description="Any object if left out.")
    strict: bool | None = None


class ResponseFormat(Body):
    """OpenAI's ``response_format``."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None

    def expression(self) -> Expression | None:
        """What the answer must be; None for any text."""
        if self.type == "text":
            return None
        if self.type == "json_object":
            return ANY_OBJECT
        if self.json_schema is None:
            raise RequestError(
                "'response_format.json_schema' is missing.",
                param="response_format.json_schema",
                code="missing_required_parameter",
            )
        schema = self.json_schema.schema_
        return ANY_OBJECT if schema is None else Json(json.dumps(schema))


class StructuredOutputs(Body):
    """vLLM's ``structured_outputs``: just one of these."""

    json_: Schema | str | None = Field(None, alias="json", description="A JSON schema.")
    regex: str | None = Field(None, description="In Rust's notation: no look-around.")
    choice: Annotated[list[Choice], Field(min_length=1, max_length=4096)] | None = None
    grammar: str | None = Field(None, description="A grammar in Lark's notation.")
    json_object: bool | None = None

    unsupported: ClassVar[dict[str, tuple[Any, ...]]] = {
        "structural_tag": (),
        "whitespace_pattern": (),
        "disable_any_whitespace": (),
        "disable_additional_properties": (),
        "disable_fallback": (),
    }

    def expression(self) -> Expression:
        """What the answer must be; raises `RequestError` unless it is just one."""
        asked: list[Expression] = []
        if self.json_ is not None:
            given = self.json_
            asked.append(Json(given if isinstance(given, str) else json.dumps(given)))
        if self.regex is not None:
            asked.append(Regex(self.regex))
        if self.choice is not None:
            asked.append(OneOf(tuple(Text(text) for text in self.choice)))
        if self.grammar is not None:
            asked.append(Lark(self.grammar))
        if self.json_object:
            asked.append(ANY_OBJECT)
        if len(asked) != 1:
            raise RequestError(
                "'structured_outputs' needs just one of json, regex, choice, grammar, json_object.",
                param="structured_outputs",
            )
        return asked[0]


class StructuredBody(Body):
    """The parameters themselves."""

    response_format: ResponseFormat | None = None
    structured_outputs: StructuredOutputs | None = None

    def constraint(self) -> Constraint | None:
        """What bounds the answer; raises `RequestError` if two of them do."""
        wanted = None if self.response_format is None else self.response_format.expression()
        if self.structured_outputs is None:
            return None if wanted is None else Constraint(wanted, "response_format")
        if wanted is not None:
            raise RequestError(
                "'response_format' and 'structured_outputs' exclude each other.",
                param="structured_outputs",
            )
        return Constraint(self.structured_outputs.expression(), "structured_outputs")
