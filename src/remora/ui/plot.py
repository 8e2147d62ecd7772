"""Small plots as SVG: no script, no library, in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

WIDTH, BAR, GAP, LABEL = 360, 20, 10, 90


def bars(values: Sequence[tuple[str, float]], title: str, unit: str = "") -> str:
    """Horizontal bars, one a name."""
    most = max((value for _, value in values), default=0) or 1
    height = len(values) * (BAR + GAP)
    parts = []
    for number, (name, value) in enumerate(values):
        top = number * (BAR + GAP)
        length = (WIDTH - LABEL - 65) * value / most
        middle = top + BAR / 2 + 5
        shown = name if len(name) <= 12 else name[:11] + "…"
        parts.append(
            f'<text x="{LABEL - 10}" y="{middle}" text-anchor="end">{escape(shown)}</text>'
            f'<rect x="{LABEL}" y="{top}" width="{max(length, 1):.1f}" height="{BAR}" rx="4" '
            f'fill="currentColor"/>'
            f'<text x="{LABEL + length + 8:.1f}" y="{middle}">{value:.3g}{escape(unit)}</text>'
        )
    told = f"{title}: " + ", ".join(f"{name} {value:.3g}{unit}" for name, value in values)
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(told)}">'
        f"{''.join(parts)}</svg>"
    )


def line(values: Sequence[float], title: str, *, places: int) -> str:
    """The last ``places`` values, the newest at the right; the area below is tinted."""
    width, height = 300, 64
    shown = list(values)[-places:]
    most = max([*shown, 1e-9])
    step = width / max(places - 1, 1)
    begin = width - step * (len(shown) - 1)
    points = [
        f"{begin + step * number:.1f},{height - 3 - (height - 8) * value / most:.1f}"
        for number, value in enumerate(shown)
    ]
    path = " ".join(points)
    now = shown[-1] if shown else 0
    area = f"{begin:.1f},{height} {path} {width},{height}" if points else ""
    return (
        f'<svg class="plot" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}: now {now:.3g}, at most {most:.3g}">'
        f'<line class="axis" x1="0" y1="{height - 1}" x2="{width}" y2="{height - 1}"/>'
        f'<polygon points="{area}" fill="currentColor" opacity="0.15"/>'
        f'<polyline points="{path}" fill="none" stroke="currentColor" stroke-width="2"/></svg>'
    )
