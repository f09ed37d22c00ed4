"""What the operator tells Prometheus, under the names that dashboards for Go operators know.

Invariant: no label holds an object's name, so the number of series does not grow with the number of objects.
The registry is our own: nothing that is imported can add to it.
"""

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from pierhead.engine.resource import Object

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

# client-go's buckets for a queue and controller-runtime's for a reconcile, thinned.
_QUEUE_BUCKETS = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 300.0)
_REQUEST_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_RECONCILE_BUCKETS = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Every metric of the process."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._queue = _QueueFamilies(self.registry)
        self._reconcile = _ReconcileFamilies(self.registry)
        self._rest_requests = Counter(
            "rest_client_requests",
            "Requests to the API server by answer.",
            ("code", "method", "host"),
            registry=self.registry,
        )
        self._rest_seconds = Histogram(
            "rest_client_request_duration_seconds",
            "How long the API server took to answer.",
            ("verb", "host"),
            buckets=_REQUEST_BUCKETS,
            registry=self.registry,
        )
        self._aws_requests = Counter(
            "pierhead_aws_requests",
            "AWS calls by answer; the code is AWS's error code, or OK.",
            ("service", "operation", "code"),
            registry=self.registry,
        )
        self._leader = Gauge(
            "leader_election_master_status",
            "1 while this process holds the Lease.",
            ("name",),
            registry=self.registry,
        )
        self.loop_lag = Gauge(
            "pierhead_event_loop_lag_seconds",
            "How late the event loop last was.",
            registry=self.registry,
        )
        build = Gauge("pierhead_build_info", "Always 1.", ("version",), registry=self.registry)
        build.labels(version).set(1)

    def controller(self, name: str, workers: int) -> "ControllerMetrics":
        """The metrics of one kind's controller, with its labels bound once."""
        return ControllerMetrics(self._queue, self._reconcile, name, workers, self.registry)

    def observe_request(self, *, code: str, method: str, host: str, seconds: float) -> None:
        """One answer of the API server, or `<error>` as its code for none."""
        self._rest_requests.labels(code, method, host).inc()
        self._rest_seconds.labels(method, host).observe(seconds)

    def observe_aws_call(self, service: str, operation: str, code: str) -> None:
        """One AWS call; `OK` or AWS's error code. From any thread."""
        self._aws_requests.labels(service, operation, code).inc()

    def leading(self, lease: str, *, leads: bool) -> None:
        """Whether this process holds the Lease."""
        self._leader.labels(lease).set(1 if leads else 0)

    def read_at_scrape(
        self, name: str, text: str, label: str, values: Callable[[], Mapping[str, float]]
    ) -> None:
        """A gauge with a value for each of a bounded number of label values, asked for when it is read."""
        self.registry.register(_Read(name, text, label, values))

    def exposition(self) -> bytes:
        """The text a scrape answers with."""
        return generate_latest(self.registry)


class _QueueFamilies:
    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("name",)
        self.depth = Gauge("workqueue_depth", "Keys waiting.", labels, registry=registry)
        self.adds = Counter("workqueue_adds", "Keys that began to wait.", labels, registry=registry)
        self.retries = Counter("workqueue_retries", "Keys put back with backoff.", labels, registry=registry)
        self.waited = Histogram(
            "workqueue_queue_duration_seconds",
            "How long keys waited.",
            labels,
            buckets=_QUEUE_BUCKETS,
            registry=registry,
        )
        self.worked = Histogram(
            "workqueue_work_duration_seconds",
            "How long keys ran.",
            labels,
            buckets=_QUEUE_BUCKETS,
            registry=registry,
        )
        self.unfinished = Gauge(
            "workqueue_unfinished_work_seconds",
            "Sum of the ages of what runs now.",
            labels,
            registry=registry,
        )
        self.longest = Gauge(
            "workqueue_longest_running_processor_seconds",
            "Age of the longest run that runs now.",
            labels,
            registry=registry,
        )


class _ReconcileFamilies:
    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("controller",)
        self.total = Counter(
            "controller_runtime_reconcile", "Reconciles by end.", ("controller", "result"), registry=registry
        )
        self.errors = Counter(
            "controller_runtime_reconcile_errors", "Failed reconciles.", labels, registry=registry
        )
        self.terminal = Counter(
            "controller_runtime_terminal_reconcile_errors",
            "Reconciles that only a change by somebody can help.",
            labels,
            registry=registry,
        )
        self.bugs = Counter(
            "controller_runtime_reconcile_panics",
            "Reconciles that ended in an exception nobody foresaw.",
            labels,
            registry=registry,
        )
        self.seconds = Histogram(
            "controller_runtime_reconcile_time_seconds",
            "How long reconciles took.",
            labels,
            buckets=_RECONCILE_BUCKETS,
            registry=registry,
        )
        self.workers = Gauge(
            "controller_runtime_max_concurrent_reconciles", "Workers.", labels, registry=registry
        )
        self.active = Gauge(
            "controller_runtime_active_workers", "Workers at work.", labels, registry=registry
        )


_ERRORS = frozenset({"terminal", "transient", "bug"})


class ControllerMetrics:
    """One controller's series; also the `QueueMetrics` of its queue."""

    def __init__(
        self,
        queue: _QueueFamilies,
        reconcile: _ReconcileFamilies,
        name: str,
        workers: int,
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._registry = registry
        self._depth = queue.depth.labels(name)
        self._adds = queue.adds.labels(name)
        self._retries = queue.retries.labels(name)
        self._waited = queue.waited.labels(name)
        self._worked = queue.worked.labels(name)
        self._unfinished = queue.unfinished.labels(name)
        self._longest = queue.longest.labels(name)
        self._total = reconcile.total
        self._errors = reconcile.errors.labels(name)
        self._terminal = reconcile.terminal.labels(name)
        self._bugs = reconcile.bugs.labels(name)
        self._seconds = reconcile.seconds.labels(name)
        self._active = reconcile.active.labels(name)
        reconcile.workers.labels(name).set(workers)

    def added(self) -> None:
        """A key began to wait."""
        self._adds.inc()

    def retried(self) -> None:
        """A key was put back with backoff."""
        self._retries.inc()

    def taken(self, waited: float) -> None:
        """A key went to a worker."""
        self._waited.observe(waited)
        self._active.inc()

    def finished(self, worked: float) -> None:
        """A worker handed a key back."""
        self._worked.observe(worked)
        self._active.dec()

    def reconciled(self, result: str, seconds: float) -> None:
        """A reconcile ended as `engine.report.Result` says."""
        self._total.labels(self._name, "error" if result in _ERRORS else result).inc()
        self._seconds.observe(seconds)
        if result in _ERRORS:
            self._errors.inc()
        if result == "terminal":
            self._terminal.inc()
        elif result == "bug":
            self._bugs.inc()

    def follow(
        self,
        *,
        depth: Callable[[], int],
        running_since: Callable[[], Iterable[float]],
        objects: Callable[[], Iterable[Object]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Reads these at each scrape, so that nothing is counted on the way of a reconcile."""
        self._depth.set_function(depth)
        self._unfinished.set_function(lambda: sum((clock() - since for since in running_since()), 0.0))
        self._longest.set_function(lambda: max((clock() - since for since in running_since()), default=0.0))
        self._registry.register(_Conditions(f"pierhead_{self._name.lower()}_condition", objects))


class _Read(Collector):
    """A gauge of one label that is worked out when it is asked for."""

    def __init__(self, name: str, text: str, label: str, values: Callable[[], Mapping[str, float]]) -> None:
        self._name = name
        self._text = text
        self._label = label
        self._values = values

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [self._family()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = self._family()
        for label, value in sorted(self._values().items()):
            family.add_metric((label,), value)
        yield family

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self._name, self._text, labels=(self._label,))


class _Conditions(Collector):
    """How many objects have a condition, counted from the cache when asked."""

    def __init__(self, name: str, objects: Callable[[], Iterable[Object]]) -> None:
        self._name = name
        self._objects = objects

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [self._family()]

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = self._family()
        tally: Tally[tuple[str, str]] = Tally()
        for obj in self._objects():
            for condition in (obj.get("status") or {}).get("conditions") or ():
                tally[condition["type"], condition["status"]] += 1
        for (condition_type, status), count in sorted(tally.items()):
            family.add_metric((condition_type, status), count)
        yield family

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(self._name, "Objects by condition.", labels=("type", "status"))
