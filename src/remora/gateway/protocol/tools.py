"""Functions that a model may call, and its calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints

from remora.errors import RequestError
from remora.gateway.protocol.body import Body
from remora.tools.tools import Tools

FunctionName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]


class Function(Body):
    """A function; without ``parameters`` it takes none."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, JsonValue] | None = Field(None, description="A JSON schema.")
    strict: bool | None = Field(None, description="Whether arguments must follow the schema.")


class Tool(Body):
    """One of the ``tools``; functions are the only kind."""

    type: Literal["function"]
    function: Function


class FunctionChoice(Body):
    """The name of a function."""

    name: FunctionName


class ToolChoice(Body):
    """The function that must be called."""

    type: Literal["function"]
    function: FunctionChoice


class FunctionCall(Body):
    """A function's name, and the JSON text of its arguments."""

    name: str
    arguments: str


class ToolCall(Body):
    """A call in a message of the assistant."""

    id: str
    type: Literal["function"]
    function: FunctionCall


class ToolsBody(Body):
    """The parameters themselves."""

    tools: Annotated[list[Tool], Field(max_length=1024)] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = Field(
        None, description="'auto' by default."
    )
    parallel_tool_calls: bool | None = Field(None, description="True by default.")

    def tools_asked(self) -> Tools | None:
        """The tools, None if none may be called; raises `RequestError` for a choice without."""
        choice = self.tool_choice
        names = [tool.function.name for tool in self.tools or ()]
        for place, name in enumerate(names):
            if name in names[:place]:
                param = f"tools[{place}].function.name"
                raise RequestError(f"'{param}': {name!r} is there twice.", param=param)
        only = choice.function.name if isinstance(choice, ToolChoice) else None
        if only is not None and only not in names:
            raise RequestError(
                f"'tool_choice' names {only!r}, which is not one of the 'tools'.",
                param="tool_choice",
            )
        if not self.tools:
            if choice == "required":
                raise RequestError("'tool_choice' needs 'tools'.", param="tool_choice")
            return None
        if choice == "none":
            return None
        return Tools(
            definitions=[tool.model_dump(exclude_none=True) for tool in self.tools],
            choice="required" if only is not None or choice == "required" else "auto",
            only=only,
            parallel=self.parallel_tool_calls is not False,
        )
