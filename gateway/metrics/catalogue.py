"""Every metric by its name. No label ever holds an id, a path that a client wrote, or a token."""

from typing import Any, Final

from gateway.metrics.instruments import Counter, Gauge, Histogram, Metric, MetricType

PREFIX: Final = "chatkitty_gateway_"

# A cached token takes microseconds, a large file hours.
_SECONDS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5,
    1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 300.0, 1800.0,
)  # fmt: skip
_LAG: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)

DELIVERIES: Final = ("relay", "external")

# --- what the gateway is asked, and answers ------------------------------------------------------

REQUESTS = Counter(
    f"{PREFIX}requests_total",
    "Requests that came to their end, by the class of the answer's status.",
    ("route", "delivery", "status"),
)
UPLOADS = Counter(
    f"{PREFIX}uploads_total",
    "Uploads that were answered: taken, refused (4xx), failed (5xx), or aborted by the client.",
    ("route", "delivery", "outcome"),
)
PROBLEMS = Counter(
    f"{PREFIX}problems_total", "Problems that were answered, by their slug.", ("problem",)
)
RECEIVED = Counter(
    f"{PREFIX}received_bytes_total", "Bytes of bodies from clients.", ("route", "delivery")
)
SENT = Counter(f"{PREFIX}sent_bytes_total", "Bytes of bodies to clients.", ("route", "delivery"))
REQUEST_SECONDS = Histogram(
    f"{PREFIX}request_seconds",
    "From a request's head to the end of its answer.",
    ("delivery",),
    _SECONDS,
)
PHASE_SECONDS = Histogram(
    f"{PREFIX}phase_seconds",
    "How long uploads take in each phase.",
    ("delivery", "phase"),
    _SECONDS,
)

# --- what a gateway holds ------------------------------------------------------------------------

PROCESSES = Gauge(f"{PREFIX}processes", "Processes whose metrics these are.")
OPEN_UPLOADS = Gauge(
    f"{PREFIX}open_uploads",
    "Uploads that are under way.",
    ("delivery",),
    start=0.0,
    known=(DELIVERIES,),
)
CONNECTIONS = Gauge(f"{PREFIX}connections", "Connections of clients.", start=0.0)
CONNECTIONS_CLOSED = Counter(
    f"{PREFIX}connections_closed_total",
    "Connections closed because there were too many: idle ones for others, or new ones at once.",
    ("reason",),
    (("idle", "full", "address"),),
)
BUDGET = Gauge(f"{PREFIX}upload_memory_bytes", "Bytes of parts that may be held.")
BUDGET_USED = Gauge(f"{PREFIX}upload_memory_used_bytes", "Bytes of parts that are reserved.")
LOOP_LAG = Histogram(
    f"{PREFIX}event_loop_lag_seconds", "How late the event loop wakes a sleeper.", (), _LAG
)

# --- what all of them share ----------------------------------------------------------------------

PENDING = Gauge(
    f"{PREFIX}pending_uploads",
    "Uploads for which something is to be done, as the last sweep saw them; 10,000 is many.",
    kind=MetricType.MOST,
)
OLDEST_PENDING = Gauge(
    f"{PREFIX}oldest_pending_seconds",
    "Age of the oldest of them, as the last sweep saw it.",
    kind=MetricType.MOST,
)
ORPHANS = Gauge(
    f"{PREFIX}orphans",
    "Complete files without a record, by whether they were accepted, as the last sweep saw them.",
    ("accepted",),
    kind=MetricType.MOST,
)
BUCKET_OBJECTS = Gauge(
    f"{PREFIX}bucket_objects",
    "Objects in the bucket by what they are, as the last whole count found them.",
    ("kind",),
    kind=MetricType.MOST,
)
BUCKET_BYTES = Gauge(
    f"{PREFIX}bucket_bytes",
    "Bytes of those objects, as the last whole count found them.",
    ("kind",),
    kind=MetricType.MOST,
)
BUCKET_COUNT_BEGAN = Gauge(
    f"{PREFIX}bucket_count_began_timestamp_seconds",
    "When the last whole count of the bucket began, in seconds since the epoch.",
    kind=MetricType.MOST,
)
QUEUE_DEPTH = Gauge(
    f"{PREFIX}queue_depth",
    "Messages that waited for a worker at the last sweep.",
    ("queue",),
    kind=MetricType.MOST,
)
LAST_SWEEP = Gauge(
    f"{PREFIX}last_sweep_timestamp_seconds",
    "When the last sweep looked, in seconds since the epoch.",
    kind=MetricType.MOST,
)
CIRCUIT_OPEN = Gauge(
    f"{PREFIX}circuit_open",
    "Whether the workers leave ChatKitty alone (1) because it fails.",
    kind=MetricType.MOST,
)

BROKER_REFUSES = Gauge(
    f"{PREFIX}broker_refuses",
    "Whether the broker took no message (1) when it was last given one, or asked by `readyz`.",
    start=0.0,
    kind=MetricType.MOST,
)

# --- what workers do -----------------------------------------------------------------------------

STEPS = Counter(
    f"{PREFIX}steps_total",
    "Steps by how they ended: done, postponed (a part was away), taken (by another), given-back "
    "(the worker stopped), failed.",
    ("step", "outcome"),
)
ENDS = Counter(
    f"{PREFIX}upload_ends_total",
    "Uploads that came to their end, by the state.",
    ("delivery", "state"),
    (DELIVERIES, ("registered", "audited", "flagged", "rejected", "failed")),
)
UPLOAD_SECONDS = Histogram(
    f"{PREFIX}upload_seconds",
    "From an upload's first byte to its end.",
    ("delivery", "state"),
    _SECONDS,
)
ATTEMPTS = Counter(
    f"{PREFIX}registration_attempts_total",
    "Requests to register a file, by what came of them.",
    ("outcome",),
    (("registered", "refused", "unavailable", "unknown"),),
)
RETRIES = Counter(f"{PREFIX}retries_total", "Steps that were put off to be tried again.", ("step",))
DEAD_LETTERS = Counter(
    f"{PREFIX}dead_letters_total", "Uploads given up because their steps came to no end."
)
MISMATCHES = Counter(
    f"{PREFIX}mismatches_total",
    "Why relayed files were flagged: what ChatKitty took them for, or the policy.",
    ("kind",),
    (("type", "size", "count", "name", "form", "policy"),),
)
CIRCUIT_CHANGES = Counter(
    f"{PREFIX}circuit_changes_total",
    "How often this process opened or closed the circuit.",
    ("to",),
    (("open", "closed"),),
)
SWEEPS = Counter(
    f"{PREFIX}sweeps_total",
    "Passes of the sweeper.",
    ("outcome",),
    (("done", "lost", "store-unavailable"),),
)
SWEEP_SECONDS = Histogram(f"{PREFIX}sweep_seconds", "How long a pass takes.", (), _SECONDS)
SWEPT = Counter(
    f"{PREFIX}swept_total",
    "What the sweeper found: overdue uploads, files whose retention is over, abandoned parts, "
    "orphaned files, expired records.",
    ("kind",),
    (("overdue", "due", "parts", "orphans", "expired"),),
)
REMOVALS = Counter(
    f"{PREFIX}removals_total",
    "Orders to remove a hosted file, by why they were given, and whether the file was removed or "
    "kept.",
    ("cause", "outcome"),
    (("message", "subject", "picture", "retention", "operator"), ("removed", "kept")),
)
LOST_MESSAGES = Counter(
    f"{PREFIX}lost_messages_total", "Tasks that could not be sent; the sweeper sends them again."
)

ALL: Final[tuple[Metric[Any], ...]] = (
    REQUESTS, UPLOADS, PROBLEMS, RECEIVED, SENT, REQUEST_SECONDS, PHASE_SECONDS,
    PROCESSES, OPEN_UPLOADS, CONNECTIONS, CONNECTIONS_CLOSED, BUDGET, BUDGET_USED, LOOP_LAG,
    PENDING, OLDEST_PENDING, ORPHANS, BUCKET_OBJECTS, BUCKET_BYTES, BUCKET_COUNT_BEGAN,
    QUEUE_DEPTH, LAST_SWEEP, CIRCUIT_OPEN, BROKER_REFUSES,
    STEPS, ENDS, UPLOAD_SECONDS, ATTEMPTS, RETRIES, DEAD_LETTERS, MISMATCHES, CIRCUIT_CHANGES,
    SWEEPS, SWEEP_SECONDS, SWEPT, REMOVALS, LOST_MESSAGES,
)  # fmt: skip
