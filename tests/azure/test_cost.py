"""The estimate of an hour's cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from remora.azure.cost import AppSize, estimate, read_prices, replica_hour
from remora.errors import ConfigError

TABLE = """
date = 2026-01-02
currency = "EUR"
region = "westeurope"
[consumption]
vcpu_second = 0.001
gib_second = 0.0001
idle_vcpu_second = 0.0001
idle_gib_second = 0.00001
[serverless_gpu_second]
"GPU" = 0.01
[dedicated]
management_hour = 1.0
[dedicated.instance_hour]
"D" = 5.0
"""
FRONT = AppSize("Consumption", vcpu=1, memory=2)
BUSY_FRONT = 3600 * (0.001 + 0.0002)
IDLE_FRONT = 3600 * (0.0001 + 0.00002)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(TABLE, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("server", "replica", "fee"),
    [
        (AppSize("GPU", 2, 4), 3600 * (0.002 + 0.0004 + 0.01), 0.0),
        (AppSize("Consumption", 2, 4), 3600 * (0.002 + 0.0004), 0.0),
        (AppSize("D", 2, 4), 5.0, 1.0),
    ],
)
def test_a_profile_decides_what_a_replica_costs(
    table: Path, server: AppSize, replica: float, fee: float
) -> None:
    cost = estimate(read_prices(table), server=server, front=FRONT, most_replicas=3)
    assert cost.awake == pytest.approx(fee + replica + BUSY_FRONT)
    assert cost.most == pytest.approx(fee + 3 * replica + BUSY_FRONT)
    assert cost.asleep == pytest.approx(fee + IDLE_FRONT)
    assert (cost.currency, str(cost.date)) == ("EUR", "2026-01-02")


def test_replicas_that_never_sleep_are_paid_for_asleep(table: Path) -> None:
    prices, server = read_prices(table), AppSize("GPU", 1, 1)
    cost = estimate(
        prices, server=server, front=None, most_replicas=2, least_replicas=2, least_fronts=0
    )
    hour = replica_hour(prices, server)
    assert hour
    assert cost.asleep == cost.awake == cost.most == pytest.approx(2 * hour)


def test_an_unknown_profile_has_no_price(table: Path) -> None:
    server = AppSize("H999", 1, 1)
    cost = estimate(read_prices(table), server=server, front=FRONT, most_replicas=1)
    assert (cost.awake, cost.most) == (None, None)
    assert cost.asleep == pytest.approx(IDLE_FRONT)


def test_the_table_that_comes_along_knows_every_gpu() -> None:
    prices = read_prices()
    for profile in ("Consumption-GPU-NC8as-T4", "Consumption-GPU-NC24-A100", "NC24-A100"):
        assert replica_hour(prices, AppSize(profile, 8, 56))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("vcpu_second = 0.001", "vcpu_second = -1", "consumption.vcpu_second"),
        ("[dedicated]", "[dedi]\n[dedicated]", "dedi"),
        ("date = ", "date = [", "not valid TOML"),
    ],
)
def test_a_wrong_table_is_told(table: Path, old: str, new: str, told: str) -> None:
    table.write_text(TABLE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        read_prices(table)


def test_a_missing_table_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        read_prices(tmp_path / "none.toml")
