"""How the pages look: calm, with the system's own fonts, light and dark."""

from __future__ import annotations

from importlib.resources import files

import gradio as gr

FONT = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Gradio's base theme in Remora's colours; no font is fetched."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.teal,
        neutral_hue=gr.themes.colors.slate,
        radius_size=gr.themes.sizes.radius_md,
        font=FONT,
        font_mono=MONO,
    ).set(
        body_background_fill="#f6f8f8",
        body_background_fill_dark="#0f1719",
        body_text_color="#16262b",
        body_text_color_dark="#e6eef0",
        body_text_color_subdued="#52656b",
        body_text_color_subdued_dark="#a3b6bb",
        block_background_fill="#ffffff",
        block_background_fill_dark="#172225",
        block_border_color="#dbe4e6",
        block_border_color_dark="#2b3c41",
        block_label_text_color="#3c4f55",
        block_label_text_color_dark="#c0ced2",
        block_title_text_color="#3c4f55",
        block_title_text_color_dark="#c0ced2",
        block_info_text_color="#52656b",
        block_info_text_color_dark="#a3b6bb",
        input_background_fill="#ffffff",
        input_background_fill_dark="#0f1719",
        input_border_width="1px",
        input_border_color="#b4c3c7",
        input_border_color_dark="#475c62",
        input_placeholder_color="#5b6d73",
        input_placeholder_color_dark="#94a7ac",
        button_primary_background_fill="#0b6b74",
        button_primary_background_fill_dark="#5cc4cd",
        button_primary_background_fill_hover="#095861",
        button_primary_background_fill_hover_dark="#7ed3da",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#08262a",
        button_secondary_background_fill="#e8eff0",
        button_secondary_background_fill_dark="#233337",
        button_secondary_text_color="#16262b",
        button_secondary_text_color_dark="#e6eef0",
        button_cancel_background_fill="#a3231f",
        button_cancel_background_fill_dark="#ff9c94",
        button_cancel_text_color="#ffffff",
        button_cancel_text_color_dark="#3b0a07",
        link_text_color="#0b6b74",
        link_text_color_dark="#5cc4cd",
    )


def style() -> str:
    """The pages' own style sheet."""
    return (files("remora.ui") / "static" / "pages.css").read_text("utf-8")
