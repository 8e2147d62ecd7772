"""A picker of several models, and what they do where a parameter's field is left empty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from remora.ui.context import QUIET, Context, Served
from remora.ui.parameters import NUMBERS, hints


class ModelPicker:
    """Its dropdown, and what happens when it is used."""

    def __init__(
        self,
        context: Context,
        *,
        label: str,
        elem_id: str,
        most: int | None = None,
        scale: int | None = None,
    ) -> None:
        """Build it into the row or column that is open; ``most`` is how many may be chosen."""
        self.context = context
        self.dropdown = gr.Dropdown(
            label=label,
            choices=[],
            multiselect=True,
            max_choices=most,
            interactive=True,
            scale=scale,
            elem_id=elem_id,
        )

    def connect(self, fields: Sequence[gr.components.Component]) -> None:
        """Keep the list up to date, and the ``fields`` of `parameter_fields` with the choice."""
        self.dropdown.focus(self.offer, self.dropdown, self.dropdown, **QUIET)
        self.dropdown.change(self.chosen, self.dropdown, [*fields[: len(NUMBERS)]], **QUIET)

    async def refresh(self, request: gr.Request, names: Sequence[str]) -> Any:
        """Ask what is served; at first the base and the first adapter are chosen."""
        served = await self.context.served(request)
        kept = [name for name in names or [] if served.named(name)]
        if kept and kept == names:  # The choice is left alone: another may be made meanwhile.
            return gr.Dropdown(choices=served.choices())
        return gr.Dropdown(choices=served.choices(), value=kept or first_pair(served))

    async def offer(self, request: gr.Request, names: Sequence[str]) -> Any:
        """The same for who is about to pick: what comes late must not undo a first pick."""
        if not names:
            return gr.Dropdown(choices=(await self.context.served(request)).choices())
        return await self.refresh(request, names)

    async def chosen(self, request: gr.Request, names: Sequence[str]) -> list[Any]:
        """Tell the defaults of the models that were picked."""
        served = await self.context.served(request)
        return hints([model for name in names or [] if (model := served.named(name))])


def first_pair(served: Served) -> list[str]:
    """The base and the first adapter that can answer."""
    base = [model.id for model in served.models if not model.parent]
    adapters = [m.id for m in served.models if m.parent and m.state != "failed"]
    return [*base[:1], *adapters[:1]]
