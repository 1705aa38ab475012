"""What the server counts, for Prometheus."""

from collections.abc import Sequence
from functools import partial
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gpt.server.served import Served

Outcome = Literal["done", "cancelled", "refused", "busy", "failed"]
OUTCOMES: tuple[Outcome, ...] = ("done", "cancelled", "refused", "busy", "failed")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
PER_SECOND = (1, 5, 10, 25, 50, 100, 200, 400, 800, 1600)


class Metrics:
    """The counts of one server, in a registry of their own."""

    def __init__(self, models: Sequence[Served]) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "inkling_requests", "Requests for completions", ["outcome"], registry=registry
        )
        for outcome in OUTCOMES:
            self.requests.labels(outcome)
        of = ["model"]
        self.tokens_in = Counter(
            "inkling_prompt_tokens", "Tokens of prompts", of, registry=registry
        )
        self.tokens_out = Counter(
            "inkling_completion_tokens", "Tokens written", of, registry=registry
        )
        self.first_token_s = Histogram(
            "inkling_time_to_first_token_seconds",
            "From a request to its first token",
            of,
            buckets=SECONDS,
            registry=registry,
        )
        self.tokens_per_s = Histogram(
            "inkling_tokens_per_second",
            "Tokens of one request after its first one, per second",
            of,
            buckets=PER_SECOND,
            registry=registry,
        )
        waiting = Gauge(
            "inkling_queue_length", "Stories that wait for a place", of, registry=registry
        )
        active = Gauge("inkling_active", "Stories that are being written", of, registry=registry)
        for model in models:
            engine = model.engine
            waiting.labels(model.name).set_function(partial(getattr, engine, "waiting"))
            active.labels(model.name).set_function(partial(getattr, engine, "active"))

    def count(self, outcome: Outcome) -> None:
        """A request for completions has ended so."""
        self.requests.labels(outcome).inc()

    def count_status(self, status: int) -> None:
        """A request for completions was answered with an error."""
        self.count("busy" if status == 429 else "failed" if status >= 500 else "refused")

    def page(self) -> bytes:
        """All of them, in Prometheus's text format."""
        return generate_latest(self.registry)
