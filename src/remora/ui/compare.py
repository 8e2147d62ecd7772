"""The page *Compare*: one prompt, two to four models side by side, and a vote on each row."""

from __future__ import annotations

import random
import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Any

import gradio as gr

from remora.errors import ConfigError, EndpointError
from remora.ui.answer import Answer, fill
from remora.ui.compare_view import columns_view, tally_view
from remora.ui.comparison import MOST, Comparison, Votes, check_asked
from remora.ui.context import QUIET, Context, buttons_script, tab_of
from remora.ui.markup import note, problem
from remora.ui.model_picker import ModelPicker
from remora.ui.parameters import parameter_fields, parameters_of
from remora.ui.words import in_words
from remora.ui.work import follow

PAGE = "compare"
Update = dict[Any, Any]


class ComparePage:
    """Its components, and what happens when they are used."""

    def __init__(self, context: Context) -> None:
        """Build it into the tab that is open."""
        self.context = context
        self.comparison = gr.State(Comparison())
        self.votes = gr.State(Votes())
        with gr.Row():
            self.models = ModelPicker(
                context,
                label="Models, two to four; differences are shown against the first",
                elem_id="compare-models",
                most=MOST,
                scale=3,
            )
            with gr.Column(scale=1, min_width=220):
                self.blind = gr.Checkbox(label="Blind: hide which is which until the vote")
                self.highlight = gr.Checkbox(label="Mark the differences", value=True)
        with gr.Row(elem_classes="entry"):
            self.text = gr.Textbox(
                label="Prompt for all of them", lines=1, max_lines=12, scale=5, min_width=160
            )
            self.send = gr.Button("Compare", variant="primary", scale=1, min_width=110)
            self.stop = gr.Button("Stop", variant="stop", scale=1, min_width=90, visible=False)
        self.status = gr.HTML("", elem_classes="status", elem_id="compare-status")
        self.columns = gr.HTML("", js_on_load=buttons_script(), elem_id="columns")
        self.tally = gr.HTML("", elem_id="tally")
        with gr.Row():
            with gr.Column(scale=2, min_width=280):
                self.system = gr.Textbox(label="System prompt", lines=1, max_lines=8)
                self.fields = parameter_fields()
            with gr.Column(scale=1, min_width=220):
                self.download = gr.DownloadButton("Download the votes as JSONL", size="sm")
        self._connect()

    def _connect(self) -> None:
        asked = [self.models.dropdown, self.blind, self.highlight, self.system, *self.fields]
        shown = [self.comparison, self.columns, self.status, self.send, self.stop]
        begin = [self.send.click, self.text.submit]
        gr.on(begin, self.compare, [self.text, *asked], shown, **QUIET)
        self.stop.click(self.halt, queue=False, **QUIET)
        voted = [self.votes, self.comparison, self.columns, self.tally, self.status, self.download]
        self.columns.click(self.vote, [self.comparison, self.votes, self.highlight], voted, **QUIET)
        self.highlight.change(self.redraw, [self.comparison, self.highlight], self.columns, **QUIET)
        self.models.connect(self.fields)

    async def compare(
        self,
        request: gr.Request,
        prompt: str,
        names: Sequence[str],
        blind: bool,
        highlight: bool,
        system: str,
        *values: Any,
    ) -> AsyncIterator[Update]:
        """Ask all models the same, with the same seed."""
        try:
            check_asked(prompt, names or [])
            parameters = {"seed": secrets.randbelow(2**31), **parameters_of(values)}
        except ConfigError as error:
            yield {self.status: problem(str(error))}
            return
        order = random.sample(list(names), len(names)) if blind else list(names)
        row = Comparison(prompt, system, parameters, [Answer(name) for name in order], blind)
        stopping = self.context.stops.begin(tab_of(request), PAGE)
        yield {
            self.comparison: row,
            self.columns: columns_view(row, running=True),
            self.status: note("Answering"),
            self.send: gr.Button(visible=False),
            self.stop: gr.Button(visible=True),
        }
        problem_text = ""
        try:
            endpoint = self.context.endpoint(request)
            row.digests = {model.id: model.digest for model in await endpoint.models()}
            messages = [{"role": "user", "content": prompt}]
            if system.strip():
                messages.insert(0, {"role": "system", "content": system})
            work = [fill(answer, endpoint, messages, parameters) for answer in row.answers]
            async for _ in follow(work, stopping):
                yield {self.columns: columns_view(row, running=True)}
        except EndpointError as error:
            problem_text = in_words(error)
        yield {
            self.comparison: row,
            self.columns: columns_view(row, highlight=highlight),
            self.status: problem(problem_text) or note(f"Seed {parameters['seed']}"),
            self.send: gr.Button(visible=True),
            self.stop: gr.Button(visible=False),
        }

    def halt(self, request: gr.Request) -> None:
        """End the answers, here and on the server."""
        self.context.stops.stop(tab_of(request), PAGE)

    def redraw(self, row: Comparison, highlight: bool) -> str:
        """Mark the differences, or don't."""
        return columns_view(row, highlight=highlight) if row.answers else ""

    def vote(
        self,
        request: gr.Request,
        event: gr.EventData,
        row: Comparison,
        votes: Votes,
        highlight: bool,
    ) -> Update:
        """Note which answer is the best, once a row, and tell which model it was."""
        best = int(event.index)
        if row.best is not None or not row.answers or not -1 <= best < len(row.answers):
            return {self.status: note("This row has its vote.")}
        row.best = best
        votes.add(row)
        file = self.context.file(request, "votes.jsonl")
        with file.open("a", encoding="utf-8") as lines:
            lines.write(row.jsonl())
        return {
            self.votes: votes,
            self.comparison: row,
            self.columns: columns_view(row, highlight=highlight),
            self.tally: tally_view(votes),
            self.status: note("Noted."),
            self.download: gr.DownloadButton(value=str(file)),
        }
