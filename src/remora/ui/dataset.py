"""The page *Data set*: prompts from a file, over the models that are chosen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from remora.errors import ConfigError, EndpointError
from remora.ui.context import QUIET, Context, tab_of
from remora.ui.dataset_view import progress_view, results_view, summary_view
from remora.ui.markup import note, problem
from remora.ui.model_picker import ModelPicker
from remora.ui.parameters import parameter_fields, parameters_of
from remora.ui.prompts_file import read_prompts
from remora.ui.trial import Trial
from remora.ui.words import in_words
from remora.ui.work import follow

PAGE = "dataset"
Update = dict[Any, Any]


class DatasetPage:
    """Its components, and what happens when they are used."""

    def __init__(self, context: Context) -> None:
        """Build it into the tab that is open."""
        self.context = context
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                self.file = gr.File(
                    label="Prompts: JSONL or CSV", file_types=[".jsonl", ".csv"], height=150
                )
            with gr.Column(scale=2, min_width=280):
                self.models = ModelPicker(context, label="Models", elem_id="dataset-models")
                self.fields = parameter_fields()
                with gr.Row():
                    self.start = gr.Button("Run", variant="primary", min_width=110)
                    self.cancel = gr.Button("Cancel", variant="stop", visible=False, min_width=110)
                    self.download = gr.DownloadButton("Download as CSV", min_width=140)
        self.status = gr.HTML(
            note(
                "A line has a prompt and, if you like, an expected answer:"
                ' {"prompt": "…", "expected": "…"}, or a chat with "messages".'
                " A CSV file has columns of these names."
            ),
            elem_id="dataset-status",
        )
        self.summary = gr.HTML("", elem_id="dataset-summary")
        self.results = gr.HTML("", elem_id="dataset-results")
        self._connect()

    def _connect(self) -> None:
        shown = [self.status, self.summary, self.results, self.start, self.cancel, self.download]
        asked = [self.file, self.models.dropdown, *self.fields]
        self.start.click(self.run, asked, shown, **QUIET)
        self.cancel.click(self.halt, queue=False, **QUIET)
        self.models.connect(self.fields)

    async def run(
        self, request: gr.Request, file: str | None, names: Sequence[str], *values: Any
    ) -> AsyncIterator[Update]:
        """Run every prompt over every model."""
        try:
            if not file or not names:
                raise ConfigError("Choose a file and at least one model.")
            rows = read_prompts(Path(file))
            parameters = parameters_of(values)
        except ConfigError as error:
            yield {self.status: problem(in_words(error))}
            return
        trial = Trial(tuple(names), tuple(rows))
        stopping = self.context.stops.begin(tab_of(request), PAGE)
        yield {
            self.status: progress_view(trial),
            self.summary: "",
            self.results: "",
            self.start: gr.Button(visible=False),
            self.cancel: gr.Button(visible=True),
        }
        told, seen = "", 0
        try:
            work = trial.run(self.context.endpoint(request), parameters)
            async for _ in follow([work], stopping):
                if len(trial.results) != seen:
                    seen = len(trial.results)
                    yield {self.status: progress_view(trial)}
        except EndpointError as error:
            told = in_words(error)
        path = self.context.file(request, "results.csv")
        path.write_text(trial.csv(), encoding="utf-8-sig", newline="")
        ended = "All done." if len(trial.results) == trial.total else "Cancelled."
        yield {
            self.status: problem(told) or note(f"{ended} {len(trial.results)} answers."),
            self.summary: summary_view(trial),
            self.results: results_view(trial),
            self.start: gr.Button(visible=True),
            self.cancel: gr.Button(visible=False),
            self.download: gr.DownloadButton(value=str(path)),
        }

    def halt(self, request: gr.Request) -> None:
        """End the run; the answers so far are kept."""
        self.context.stops.stop(tab_of(request), PAGE)
