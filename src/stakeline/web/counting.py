"""Requests by route, counted and timed in plain numbers.

The library's own counters lock, look labels up and check at each step, which took a fifteenth of a
bet's time; here all requests are noted by the one thread that serves them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class _Times:
    """How many requests took up to each of the bounds, or longer than all; and all together."""

    __slots__ = ("counts", "sum_s")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0


class Requests(Collector):
    """Counts and times requests, for a registry of metrics."""

    def __init__(self) -> None:
        self._answered: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._times: defaultdict[tuple[str, str], _Times] = defaultdict(_Times)

    def note(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count one request that was answered."""
        self._answered[method, route, status] += 1
        times = self._times[method, route]
        times.counts[bisect_left(BOUNDS_S, took_s)] += 1
        times.sum_s += took_s

    def collect(self) -> Iterator[Metric]:
        """What was counted so far, as the library shows it."""
        answered = CounterMetricFamily(
            "stakeline_http_requests",
            "Requests answered, by route.",
            labels=("method", "route", "status"),
        )
        for (method, route, status), count in self._answered.items():
            answered.add_metric((method, route, str(status)), count)
        yield answered
        seconds = HistogramMetricFamily(
            "stakeline_http_request_seconds",
            "From the request's first byte to the answer's last, by route.",
            labels=("method", "route"),
        )
        bounds = (*map(str, BOUNDS_S), "+Inf")
        for labels, times in self._times.items():
            up_to = accumulate(times.counts)
            buckets = list(zip(bounds, map(float, up_to), strict=True))
            seconds.add_metric(labels, buckets, times.sum_s)
        yield seconds
