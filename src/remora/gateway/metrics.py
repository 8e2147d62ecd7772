"""Prometheus metrics of one app, in a registry of its own.

Times are in seconds. The label ``model`` takes at most `MAX_MODEL_LABELS` values, in the order of
their first request; the rest is ``other``, so that thousands of adapters don't become thousands
of time series.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from remora.backends.backend import Phase, Service
from remora.engine.request import Usage

if TYPE_CHECKING:
    from remora.gateway.exchange import Exchange

MAX_MODEL_LABELS = 100
OTHER = "other"

_TTFT = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_INTER_TOKEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_END_TO_END = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


@dataclass(slots=True)
class Meter:
    """Watches the deltas of one answer arrive."""

    exchange: Exchange
    first_token: Histogram
    inter_token: Histogram
    last: float = 0.0

    def arrived(self, tokens: int) -> None:
        """Count a delta of ``tokens`` tokens, which may be several when the reader is slow."""
        now = perf_counter()
        if self.exchange.ttft is None:
            self.exchange.ttft = now - self.exchange.started
            self.first_token.observe(self.exchange.ttft)
        elif tokens:
            self.inter_token.observe((now - self.last) / tokens)
        self.last = now


class Metrics:
    """Counters and histograms of the requests, and the backend's load read at each scrape."""

    def __init__(self, backend: Service) -> None:
        registry = CollectorRegistry(auto_describe=False)
        self._registry = registry
        self._labels: set[str] = set()
        self._requests = Counter(
            "remora_requests",
            "Requests by model, endpoint and status (499: the client left).",
            ("model", "endpoint", "status"),
            registry=registry,
        )
        tokens = {
            name: Counter(f"remora_{name}_tokens", text, ("model",), registry=registry)
            for name, text in (
                ("prompt", "Tokens of prompts."),
                ("generated", "Tokens of answers."),
                ("cached", "Tokens of prompts that were found in the prefix cache."),
            )
        }
        self._prompt, self._generated, self._cached = tokens.values()
        self._ttft = Histogram(
            "remora_time_to_first_token_seconds",
            "From the request's arrival to its first token.",
            ("model",),
            buckets=_TTFT,
            registry=registry,
        )
        self._inter_token = Histogram(
            "remora_inter_token_seconds",
            "Between the tokens of an answer.",
            ("model",),
            buckets=_INTER_TOKEN,
            registry=registry,
        )
        self._end_to_end = Histogram(
            "remora_request_seconds",
            "From the request's arrival to its answer's end.",
            ("model", "endpoint"),
            buckets=_END_TO_END,
            registry=registry,
        )
        registry.register(_LoadCollector(backend))

    def label(self, model: str) -> str:
        """The label of a model that answers; at most `MAX_MODEL_LABELS` are their own."""
        if model in self._labels:
            return model
        if len(self._labels) < MAX_MODEL_LABELS:
            self._labels.add(model)
            return model
        return OTHER

    def meter(self, exchange: Exchange) -> Meter:
        label = exchange.label
        return Meter(exchange, self._ttft.labels(label), self._inter_token.labels(label))

    def finished(self, exchange: Exchange, endpoint: str, duration: float) -> None:
        """Count a request that has ended, however it did."""
        label = exchange.label
        self._requests.labels(label, endpoint, str(exchange.status)).inc()
        if label:
            self._end_to_end.labels(label, endpoint).observe(duration)
        usage: Usage | None = exchange.usage
        if usage is not None:
            self._prompt.labels(label).inc(usage.prompt_tokens)
            self._generated.labels(label).inc(usage.completion_tokens)
            self._cached.labels(label).inc(usage.cached_tokens)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _LoadCollector(Collector):
    """The backend's `Load` and readiness, as they are when asked."""

    def __init__(self, backend: Service) -> None:
        self._backend = backend

    def collect(self) -> Iterable[Metric]:
        load = self._backend.load()
        ready = self._backend.status().phase is Phase.READY
        gauges = (
            ("ready", "Whether the backend answers.", float(ready)),
            ("running_requests", "Requests in the batch.", load.running),
            ("waiting_requests", "Requests in the queue.", load.waiting),
            ("kv_cache_tokens_used", "Tokens that the KV cache holds.", load.kv_tokens_used),
            ("kv_cache_tokens_total", "Tokens that fit.", load.kv_tokens_total),
            ("resident_adapters", "Adapters in memory.", load.resident_adapters),
        )
        counters = (
            ("engine_steps", "Steps of the engine.", load.steps),
            ("engine_batch_rows", "Rows of all steps; by steps, the batch.", load.batch_rows),
            ("engine_prompt_tokens", "Prompt tokens computed or reused.", load.prompt_tokens),
            ("engine_generated_tokens", "Tokens generated.", load.generated_tokens),
            ("engine_cached_tokens", "Prompt tokens reused.", load.cached_tokens),
            ("engine_preemptions", "Requests set back for want of KV cache.", load.preemptions),
        )
        for name, text, value in gauges:
            yield GaugeMetricFamily(f"remora_{name}", text, value=value)
        for name, text, count in counters:
            yield CounterMetricFamily(f"remora_{name}", text, value=count)
