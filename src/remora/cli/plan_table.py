"""What would be done on Azure, as a person and as a program read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from remora.azure.change import Action, Change
from remora.azure.cost import Cost
from remora.azure.parameters import Origin, Parameter
from remora.cli.columns import columns
from remora.cli.output import Output

if TYPE_CHECKING:
    from rich.text import Text

    from remora.azure.running import Running

STYLES = {
    Action.CREATE: "green",
    Action.UPDATE: "yellow",
    Action.NONE: "dim",
    Action.DELETE: "red",
}
WORDS = {Action.NONE: "no change"}


def tell_plan(output: Output, changes: Sequence[Change], cost: Cost | None) -> None:
    """The table of changes, and what an hour costs."""
    output.say(
        "plan",
        _table(changes),
        changes=[
            {"action": one.action, "type": one.type, "name": one.name, "reason": one.reason}
            for one in changes
        ],
        cost=cost_fields(cost) if cost else None,
    )
    if cost is not None and not output.as_json:
        output.say("cost", f"\n{cost_text(cost)}")


def cost_fields(cost: Cost) -> dict[str, Any]:
    """Money per hour, with the date of the prices."""
    return {
        "awake_per_hour": _rounded(cost.awake),
        "most_per_hour": _rounded(cost.most),
        "asleep_per_hour": _rounded(cost.asleep),
        "currency": cost.currency,
        "prices_of": cost.date.isoformat(),
        "region": cost.region,
    }


def cost_text(cost: Cost) -> str:
    """One or two lines; an estimate is called one."""
    awake = _money(cost.awake, cost.currency)
    most = "" if cost.most == cost.awake else f" (up to {_money(cost.most, cost.currency)})"
    return (
        f"Estimated cost of an hour: {awake} awake{most}, {_money(cost.asleep, cost.currency)}"
        f" asleep,\nby the table of prices of {cost.date} for {cost.region}, without storage,"
        " logs and discounts."
    )


def cost_now_text(now: Running) -> str:
    """What an hour as now costs, and with how many replicas."""
    gpus = f"GPU replicas: {now.replicas}" if now.replicas else "The GPU app sleeps"
    return (
        f"{gpus}; fronts: {now.fronts}. About {_money(now.cost, now.prices.currency)} an hour,"
        f" by the table of prices of {now.prices.date}."
    )


def tell_parameters(output: Output, parameters: Mapping[str, Parameter]) -> None:
    """Every value and where it comes from."""
    rows = [(one.name, _shown(one.value), one.place) for one in parameters.values()]
    styles = ["dim" if one.origin is Origin.DEFAULT else "bold" for one in parameters.values()]
    output.say(
        "parameters",
        columns(rows, styles),
        parameters=[
            {"name": one.name, "value": one.value, "from": one.place} for one in parameters.values()
        ],
    )


def _table(changes: Sequence[Change]) -> Text:
    rows = [
        (WORDS.get(one.action, one.action.value), _short(one.type), one.name, one.reason)
        for one in changes
    ]
    return columns(rows, [STYLES[one.action] for one in changes])


def _short(kind: str) -> str:
    """``Microsoft.App/containerApps`` without its provider's publisher."""
    return kind.removeprefix("Microsoft.")


def _shown(value: Any) -> str:
    import json

    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 120 else f"{text[:117]}..."


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _money(value: float | None, currency: str) -> str:
    return "unknown" if value is None else f"{value:.2f} {currency}"
