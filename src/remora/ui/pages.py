"""All pages as one Gradio app. Importing this imports Gradio: seconds, and 130 MB."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr
from fastapi import FastAPI

from remora.ui.access import Access
from remora.ui.chat import ChatPage
from remora.ui.compare import ComparePage
from remora.ui.context import QUIET, Context, tab_of
from remora.ui.dataset import DatasetPage
from remora.ui.endpoint import EndpointPage
from remora.ui.theme import style, theme

MAX_UPLOAD = "32mb"
KEEP = 24 * 3600  # s that a file to download is kept


def build(access: Access, folder: Path) -> FastAPI:
    """The app; enter its ``router.lifespan_context`` before a request is given to it."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    return gr.mount_gradio_app(
        app,
        _pages(Context(access, folder)),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=MAX_UPLOAD,
        ssr_mode=False,
        enable_monitoring=False,
        theme=theme(),
        css=style(),
    )


def _pages(context: Context) -> gr.Blocks:
    pages = gr.Blocks(title="Remora", analytics_enabled=False, delete_cache=(3600, KEEP))
    with pages:
        gr.HTML(_top(context.access))
        with gr.Tabs():
            with gr.Tab("Chat") as chat_tab:
                chat = ChatPage(context)
            with gr.Tab("Compare") as compare_tab:
                compare = ComparePage(context)
            with gr.Tab("Data set") as dataset_tab:
                dataset = DatasetPage(context)
            with gr.Tab("Endpoint") as endpoint_tab:
                endpoint = EndpointPage(context)
        pages.load(chat.refresh, chat.model, chat.listing, **QUIET)
        for tab, picker in ((compare_tab, compare.models), (dataset_tab, dataset.models)):
            tab.select(picker.refresh, picker.dropdown, picker.dropdown, **QUIET)
        asked = [endpoint.kind, endpoint.model, endpoint.watch]
        endpoint_tab.select(endpoint.enter, asked, endpoint.shown, **QUIET)
        for other in (chat_tab, compare_tab, dataset_tab):
            other.select(endpoint.leave, None, endpoint.timer, **QUIET)

        def leave(request: gr.Request) -> None:
            context.stops.leave(tab_of(request))

        pages.unload(leave)
    return pages


def _top(access: Access) -> str:
    leave = '<form method="post" action="sign-out"><button>Sign out</button></form>'
    address = escape(access.endpoint.address)
    return f'<div class="top"><h1>Remora</h1><p>{address}</p>{leave if access.asks else ""}</div>'
