"""What an hour costs, awake and asleep: an estimate from a dated table of prices."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from remora.errors import ConfigError

HOUR = 3600  # s
PRICES_VARIABLE = "REMORA_PRICES"

Price = Annotated[float, Field(ge=0)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Consumption(_Table):
    """Rates of the profile Consumption, per second."""

    vcpu_second: Price
    gib_second: Price
    idle_vcpu_second: Price
    idle_gib_second: Price


class Dedicated(_Table):
    """Rates of dedicated profiles, per hour: one fee, and each instance by its profile."""

    management_hour: Price
    instance_hour: dict[str, Price]


class Prices(_Table):
    """The table, as ``prices.toml`` explains it."""

    date: date
    currency: str
    region: str
    consumption: Consumption
    serverless_gpu_second: dict[str, Price]
    dedicated: Dedicated


@dataclass(frozen=True, slots=True)
class AppSize:
    """What one replica of an app takes; ``profile`` is the type of its workload profile."""

    profile: str
    vcpu: float
    memory: float  # GiB


@dataclass(frozen=True, slots=True)
class Cost:
    """Money per hour. ``awake`` is with one GPU replica and a busy front, ``most`` with as many
    replicas as may run, ``asleep`` with none and an idle front. None where no price is known."""

    currency: str
    date: date
    region: str
    awake: float | None
    most: float | None
    asleep: float


def read_prices(path: Path | None = None) -> Prices:
    """The table that is named here or by ``REMORA_PRICES``, or else the one that comes with
    Remora. Raises `ConfigError`."""
    if path is None and (named := os.environ.get(PRICES_VARIABLE)):
        path = Path(named)
    try:
        if path is None:
            text = files("remora.azure").joinpath("prices.toml").read_text(encoding="utf-8")
        else:
            text = path.read_text(encoding="utf-8")
        return Prices.model_validate(tomllib.loads(text))
    except OSError as error:
        raise ConfigError(f"{path} can't be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in detail["loc"])
        raise ConfigError(
            f"{path}: {key}: {detail['msg'].lower()}",
            hint="The table that comes with Remora, prices.toml, shows the form.",
        ) from error


def estimate(
    prices: Prices,
    *,
    server: AppSize,
    front: AppSize | None,
    most_replicas: int,
    least_replicas: int = 0,
    least_fronts: int = 1,
) -> Cost:
    """The cost of both apps; ``least_replicas`` GPU replicas never sleep.

    Storage, logs and traffic come on top: they are for what is kept and sent, not by the hour.
    """
    replica = replica_hour(prices, server)
    busy = replica_hour(prices, front) or 0.0 if front else 0.0
    idle = least_fronts * idle_hour(prices, front) if front else 0.0
    fee = prices.dedicated.management_hour if server.profile in dedicated(prices) else 0.0

    def running(replicas: int) -> float | None:
        return None if replica is None else fee + replicas * replica + busy

    return Cost(
        currency=prices.currency,
        date=prices.date,
        region=prices.region,
        awake=running(max(1, least_replicas)),
        most=running(max(1, most_replicas)),
        asleep=fee + least_replicas * (replica or 0.0) + idle,
    )


def replica_hour(prices: Prices, app: AppSize) -> float | None:
    """An hour of one busy replica; None if the table has no price for its profile."""
    if app.profile in dedicated(prices):
        return prices.dedicated.instance_hour[app.profile]
    gpu = {"Consumption": 0.0} | prices.serverless_gpu_second
    if app.profile not in gpu:
        return None
    rates = prices.consumption
    second = app.vcpu * rates.vcpu_second + app.memory * rates.gib_second + gpu[app.profile]
    return second * HOUR


def dedicated(prices: Prices) -> Mapping[str, float]:
    """Dedicated profiles with the price of an instance's hour."""
    return prices.dedicated.instance_hour


def idle_hour(prices: Prices, app: AppSize) -> float:
    """An hour of one replica on the profile Consumption that has nothing to do."""
    rates = prices.consumption
    return (app.vcpu * rates.idle_vcpu_second + app.memory * rates.idle_gib_second) * HOUR
