"""The page *Chat*: a conversation with one model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from html import escape
from typing import Any

import gradio as gr

from remora.client.answers import Model
from remora.errors import EndpointError, RemoraError
from remora.ui.answer import Answer, fill
from remora.ui.chat_view import EMPTY, history_view, running_view
from remora.ui.context import QUIET, Context, Served, buttons_script, tab_of
from remora.ui.conversation import Conversation, Exchange
from remora.ui.markup import note, problem
from remora.ui.parameters import NUMBERS, hints, parameter_fields, parameters_of
from remora.ui.words import in_words
from remora.ui.work import follow

PAGE = "chat"
Update = dict[Any, Any]


class ChatPage:
    """Its components, and what happens when they are used."""

    def __init__(self, context: Context) -> None:
        """Build it into the tab that is open."""
        self.context = context
        self.conversation = gr.State(Conversation())
        with gr.Row(elem_classes="page"):
            with gr.Column(scale=3, min_width=300):
                self._build_conversation()
            with gr.Column(scale=1, min_width=280, elem_classes="side"):
                self._build_side()
        self._connect()

    def _build_conversation(self) -> None:
        with gr.Column(elem_id="conversation", elem_classes="conversation"):
            self.history = gr.HTML(EMPTY, js_on_load=buttons_script(), elem_id="history")
            self.current = gr.HTML("", elem_id="current", autoscroll=True)
        self.status = gr.HTML("", elem_id="chat-status", elem_classes="status")
        with gr.Row(elem_classes="entry"):
            self.text = gr.Textbox(
                label="Your message",
                placeholder="Enter sends, Shift+Enter begins a new line",
                lines=1,
                max_lines=12,
                scale=5,
                min_width=160,
                elem_id="chat-text",
            )
            self.send = gr.Button("Send", variant="primary", scale=1, min_width=90)
            self.stop = gr.Button("Stop", variant="stop", scale=1, min_width=90, visible=False)

    def _build_side(self) -> None:
        self.model = gr.Dropdown(
            label="Model", choices=[], filterable=False, interactive=True, elem_id="chat-model"
        )
        self.state = gr.HTML("", elem_id="model-state")
        self.system = gr.Textbox(label="System prompt", lines=2, max_lines=8)
        self.fields = parameter_fields()
        with gr.Accordion("The prompt as the model sees it", open=False) as self.seen:
            self.rendered = gr.HTML("", elem_id="rendered")
            self.render = gr.Button("Show it anew", size="sm")
        with gr.Row():
            self.new = gr.Button("New chat", size="sm", min_width=100)
            self.export = gr.DownloadButton("Export as JSONL", size="sm", min_width=140)

    def _connect(self) -> None:
        asked = [self.conversation, self.model, self.system, *self.fields]
        shown = [
            *(self.conversation, self.history, self.current, self.status),
            *(self.text, self.send, self.stop, self.export),
        ]
        gr.on([self.send.click, self.text.submit], self.ask, [self.text, *asked], shown, **QUIET)
        self.history.click(self.act, asked, shown, **QUIET)
        self.stop.click(self.halt, queue=False, **QUIET)
        self.new.click(self.begin_anew, None, shown, **QUIET)
        self.model.focus(self.offer, self.model, self.listing, **QUIET)
        self.model.change(self.chosen, self.model, self.listing[1:], **QUIET)
        prompt = [self.conversation, self.model, self.system]
        gr.on(
            [self.render.click, self.seen.expand], self.show_prompt, prompt, self.rendered, **QUIET
        )

    @property
    def listing(self) -> list[Any]:
        """What depends on the models that are served; outputs of `refresh`."""
        return [self.model, self.state, *self.fields[: len(NUMBERS)]]

    async def refresh(self, request: gr.Request, name: str | None) -> list[Any]:
        """Ask what is served. A choice that still is stays, also one that is made meanwhile."""
        served = await self.context.served(request)
        if served.named(name):
            return self._choices(served)
        model = favourite(served)
        choice = gr.Dropdown(choices=served.choices(), value=model.id if model else None)
        return [choice, state_of(served, model), *hints([model] if model else [])]

    async def offer(self, request: gr.Request, name: str | None) -> list[Any]:
        """The same for who is about to pick: what comes late must not undo a first pick."""
        if name is None:
            return self._choices(await self.context.served(request))
        return await self.refresh(request, name)

    def _choices(self, served: Served) -> list[Any]:
        return [gr.Dropdown(choices=served.choices()), *[gr.skip() for _ in self.listing[1:]]]

    async def chosen(self, request: gr.Request, name: str | None) -> list[Any]:
        """Tell the state and the defaults of the model that was picked."""
        served = await self.context.served(request)
        model = served.named(name)
        return [state_of(served, model), *hints([model] if model else [])]

    async def ask(
        self,
        request: gr.Request,
        question: str,
        talk: Conversation,
        name: str | None,
        system: str,
        *values: Any,
    ) -> AsyncIterator[Update]:
        """Send what was written."""
        if not question.strip():
            return
        if not name:  # Asked before the list came.
            served = await self.context.served(request)
            model = favourite(served)
            if model is None:
                yield {self.status: problem(served.problem or "The endpoint serves no model.")}
                return
            name = model.id
        if talk.editing is not None:
            del talk.exchanges[talk.editing :]
            talk.editing = None
        talk.exchanges.append(Exchange(question, Answer(name)))
        async for update in self._answer(request, talk, system, values):
            yield update

    async def act(
        self,
        request: gr.Request,
        event: gr.EventData,
        talk: Conversation,
        name: str | None,
        system: str,
        *values: Any,
    ) -> AsyncIterator[Update]:
        """Edit a question, or have it answered anew, by the model that is chosen now."""
        index = int(event.index)
        if not 0 <= index < len(talk.exchanges):
            return
        exchange = talk.exchanges[index]
        if event.action == "edit":
            talk.editing = index
            told = note("Editing: sending replaces this message and all that follows.")
            yield {self.conversation: talk, self.text: exchange.question, self.status: told}
        elif event.action == "retry":
            talk.editing = None
            again = Exchange(exchange.question, Answer(name or exchange.answer.model))
            talk.exchanges[index:] = [again]
            async for update in self._answer(request, talk, system, values):
                yield update

    async def _answer(
        self, request: gr.Request, talk: Conversation, system: str, values: Sequence[Any]
    ) -> AsyncIterator[Update]:
        """Have the last exchange, which has just begun, answered."""
        exchange = talk.exchanges[-1]
        stopping = self.context.stops.begin(tab_of(request), PAGE)
        yield {
            self.conversation: talk,
            self.history: history_view(talk, running=True),
            self.current: running_view(exchange),
            self.status: note("Answering"),
            self.text: "",
            self.send: gr.Button(visible=False),
            self.stop: gr.Button(visible=True),
        }
        messages = talk.messages(system, before=len(talk.exchanges) - 1)
        try:
            endpoint = self.context.endpoint(request)
            work = fill(exchange.answer, endpoint, messages, parameters_of(values))
            async for _ in follow([work], stopping):
                yield {self.current: running_view(exchange)}
        except RemoraError as error:
            exchange.answer.problem = in_words(error)
        file = self.context.file(request, "conversation.jsonl")
        file.write_text(talk.jsonl(system), "utf-8")
        yield {
            self.conversation: talk,
            self.history: history_view(talk),
            self.current: "",
            self.status: note("Ended"),
            self.send: gr.Button(visible=True),
            self.stop: gr.Button(visible=False),
            self.export: gr.DownloadButton(value=str(file)),
        }

    def halt(self, request: gr.Request) -> None:
        """End the answer, here and on the server."""
        self.context.stops.stop(tab_of(request), PAGE)

    def begin_anew(self, request: gr.Request) -> Update:
        """Forget the conversation."""
        self.halt(request)
        return {
            self.conversation: Conversation(),
            self.history: EMPTY,
            self.current: "",
            self.status: "",
            self.export: gr.DownloadButton(value=None),
        }

    async def show_prompt(
        self, request: gr.Request, talk: Conversation, name: str | None, system: str
    ) -> str:
        """The last question with all before it, as the model's chat template writes them."""
        last = len(talk.exchanges) - 1
        if last < 0 or not name:
            return note("Nothing has been said yet.")
        try:
            endpoint = self.context.endpoint(request)
            prompt, count = await endpoint.rendered(name, talk.messages(system, before=last))
        except EndpointError as error:
            unknown = error.status in {404, 405} and "model" not in str(error)
            return note("This endpoint does not tell.") if unknown else problem(in_words(error))
        return f'{note(f"{count} tokens")}<pre tabindex="0">{escape(prompt)}</pre>'


def favourite(served: Served) -> Model | None:
    """The first adapter that can answer, for that is what was fine-tuned; else the first model."""
    adapters = [model for model in served.models if model.parent and model.state != "failed"]
    return next(iter([*adapters, *served.models]), None)


def state_of(served: Served, model: Model | None) -> str:
    """What a person should know of a model before asking it."""
    if served.problem:
        return problem(served.problem)
    if model is None:
        return ""
    if model.state == "failed":
        return problem(f"{model.id} can't be used: {model.reason or 'it failed to load'}.")
    if model.state == "loading":
        return note(f"{model.id} is being loaded; a message waits for it.")
    return ""
