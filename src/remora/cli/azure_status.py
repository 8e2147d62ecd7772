"""``remora status`` on Azure: what exists, in which state, and what it costs now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from remora.cli.output import Output

if TYPE_CHECKING:
    from remora.azure.clients import Clients
    from remora.azure.config_file import InferenceConfig
    from remora.targets.front_api import Seen


def tell_resources(output: Output, clients: Clients, config: InferenceConfig) -> None:
    """The resources that inference uses, and money per hour as it is at this moment."""
    from remora.azure.cost import read_prices
    from remora.azure.running import running
    from remora.cli.columns import columns
    from remora.cli.plan_table import cost_now_text

    now = running(clients, config, read_prices())
    rows = [
        (one.type.removeprefix("Microsoft."), one.name, one.state, _made(one.is_inference))
        for one in now.resources
    ]
    output.say(
        "resources",
        columns(rows, [""] * len(rows)),
        resources=[
            {
                "type": one.type,
                "name": one.name,
                "state": one.state,
                "created_by_inference": one.is_inference,
            }
            for one in now.resources
        ],
        replicas=now.replicas,
        fronts=now.fronts,
        cost_per_hour=None if now.cost is None else round(now.cost, 4),
        currency=now.prices.currency,
        prices_of=now.prices.date.isoformat(),
    )
    if output.as_json:
        return
    there = cost_now_text(now) if now.resources else f"There is no app {config.aca_app_name}."
    output.say("cost", there)


def tell_seen(output: Output, seen: Seen) -> None:
    """What the front tells of requests, and of the day's hours."""
    limit = f" of {seen.max_hours_awake:g}" if seen.max_hours_awake else ""
    output.say(
        "front",
        f"The front has {seen.running} requests under way and {seen.waiting} that wait; today it"
        f" saw the server awake for {seen.hours_awake:.1f}{limit} hours.",
    )


def _made(is_inference: bool) -> str:
    return "created by inference" if is_inference else ""
