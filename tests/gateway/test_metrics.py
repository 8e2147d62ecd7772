"""`/metrics`: what is counted, under which labels."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from remora.engine.request import Usage
from remora.gateway.exchange import Exchange
from remora.gateway.metrics import MAX_MODEL_LABELS, Metrics
from tests.gateway.conftest import Endpoint, Serve
from tests.gateway.scripted_backend import ScriptedBackend

CHAT = "/v1/chat/completions"
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scrape(endpoint: Endpoint) -> Samples:
    response = endpoint.http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    return samples(response.text)


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((f"remora_{name}", frozenset(labels.items())))


def test_requests_and_tokens(serve: Serve) -> None:
    endpoint = serve()
    endpoint.chat("one two three", model="support")
    endpoint.chat("one two three", model="support", stream=True)
    endpoint.chat("hi", model="nobody")
    endpoint.http.get("/no/such/route")
    found = scrape(endpoint)
    assert value(found, "requests_total", model="support", endpoint=CHAT, status="200") == 2
    assert value(found, "requests_total", model="", endpoint=CHAT, status="404") == 1
    assert value(found, "requests_total", model="", endpoint="unknown", status="404") == 1
    assert value(found, "prompt_tokens_total", model="support") == 6
    assert value(found, "generated_tokens_total", model="support") == 6
    assert value(found, "cached_tokens_total", model="support") == 2
    assert value(found, "time_to_first_token_seconds_count", model="support") == 2
    assert value(found, "inter_token_seconds_count", model="support") == 4
    assert value(found, "request_seconds_count", model="support", endpoint=CHAT) == 2


def test_load_of_the_backend(endpoint: Endpoint) -> None:
    found = scrape(endpoint)
    assert value(found, "ready") == 1
    assert value(found, "running_requests") == 0
    assert value(found, "kv_cache_tokens_total") == 4096
    assert value(found, "engine_steps_total") == 7
    assert value(found, "engine_batch_rows_total") == 21


def test_thousands_of_adapters_are_few_labels() -> None:
    metrics = Metrics(ScriptedBackend())
    for i in range(MAX_MODEL_LABELS + 50):
        exchange = Exchange("id", "POST", CHAT, usage=Usage(1, 1), status=200)
        exchange.label = metrics.label(f"adapter-{i}")
        metrics.finished(exchange, CHAT, 0.1)
    found = samples(metrics.exposition().decode())
    labels = {dict(key[1])["model"] for key in found if key[0] == "remora_generated_tokens_total"}
    assert len(labels) == MAX_MODEL_LABELS + 1
    assert value(found, "generated_tokens_total", model="other") == 50


def test_apps_do_not_share_a_registry() -> None:
    first, second = Metrics(ScriptedBackend()), Metrics(ScriptedBackend())
    first.finished(Exchange("id", "GET", "/livez", status=200), "/livez", 0.1)
    assert b'endpoint="/livez"' in first.exposition()
    assert b'endpoint="/livez"' not in second.exposition()
