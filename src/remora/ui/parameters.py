"""The generation parameters as fields of a page. What is left empty is not sent, and so is
whatever the endpoint takes for that model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from remora.client.answers import Model
from remora.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that the chat API takes."""

    name: str
    label: str
    low: float
    high: float
    whole: bool = False

    def parse(self, text: str) -> float | int:
        """The number that a person wrote; raises `ConfigError` for what is none, or not fit."""
        try:
            value = int(text) if self.whole else float(text.replace(",", "."))
        except ValueError:
            value = math.nan
        if not self.low <= value <= self.high:
            kind = "a whole number" if self.whole else "a number"
            raise ConfigError(
                f"{self.label} must be {kind} from {self.low:g} to {self.high:g}, not {text!r}."
            )
        return value


NUMBERS = (
    Parameter("temperature", "Temperature", 0, 2),
    Parameter("top_p", "Top-p", 0, 1),
    Parameter("top_k", "Top-k", 0, 1_000_000, whole=True),
    Parameter("min_p", "Min-p", 0, 1),
    Parameter("max_tokens", "Max new tokens", 1, 1_000_000, whole=True),
    Parameter("min_tokens", "Min new tokens", 0, 1_000_000, whole=True),
    Parameter("repetition_penalty", "Repetition penalty", 0.01, 10),
    Parameter("presence_penalty", "Presence penalty", -2, 2),
    Parameter("frequency_penalty", "Frequency penalty", -2, 2),
    Parameter("seed", "Seed", -(2**63), 2**63 - 1, whole=True),
)


def parameter_fields() -> list[gr.components.Component]:
    """The fields, in an accordion of their own; read them with `parameters_of`."""
    fields: list[gr.components.Component] = []
    with gr.Accordion("Generation parameters", open=False, elem_classes="parameters"):
        gr.Markdown("Empty means the model's own default, which is shown where it is known.")
        with gr.Row():
            fields += [
                gr.Textbox(label=each.label, placeholder="default", max_lines=1, min_width=110)
                for each in NUMBERS
            ]
        fields.append(gr.Textbox(label="Stop at", info="One text a line.", lines=1, max_lines=4))
        fields.append(gr.Checkbox(label="Go on after the end of the answer"))
    return fields


def parameters_of(values: Sequence[Any]) -> dict[str, Any]:
    """The part of a request's body that the fields stand for; raises `ConfigError`."""
    *numbers, stop, ignore_eos = values
    body: dict[str, Any] = {
        each.name: each.parse(text.strip())
        for each, text in zip(NUMBERS, numbers, strict=True)
        if text and text.strip()
    }
    if stops := [line for line in (stop or "").splitlines() if line]:
        body["stop"] = stops
    if ignore_eos:
        body["ignore_eos"] = True
    return body


def hints(models: Sequence[Model]) -> list[Any]:
    """The defaults that hold for all of these models, to be shown in the empty number fields."""
    return [gr.Textbox(placeholder=_hint(each.name, models)) for each in NUMBERS]


def _hint(name: str, models: Sequence[Model]) -> str:
    values = [model.defaults.get(name) for model in models]
    if not values or not all(isinstance(value, int | float) for value in values):
        return "default"
    return f"{values[0]:g}" if len(set(values)) == 1 else "varies"
