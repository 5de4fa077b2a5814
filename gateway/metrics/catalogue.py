"""Every metric by its name. No label ever holds an id, a client's path, or a token."""

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
    "Finished requests, by the class of the answer's status.",
    ("route", "delivery", "status"),
)
UPLOADS = Counter(
    f"{PREFIX}uploads_total",
    "Answered uploads: taken (accepted), refused (4xx), failed (5xx), or aborted by the client.",
    ("route", "delivery", "outcome"),
)
PROBLEMS = Counter(f"{PREFIX}problems_total", "Answered problems, by their slug.", ("problem",))
RECEIVED = Counter(
    f"{PREFIX}received_bytes_total", "Bytes of request bodies from clients.", ("route", "delivery")
)
SENT = Counter(
    f"{PREFIX}sent_bytes_total", "Bytes of answer bodies to clients.", ("route", "delivery")
)
REQUEST_SECONDS = Histogram(
    f"{PREFIX}request_seconds",
    "Seconds from a request's head to the end of its answer.",
    ("delivery",),
    _SECONDS,
)
PHASE_SECONDS = Histogram(
    f"{PREFIX}phase_seconds",
    "Seconds that uploads take in each phase.",
    ("delivery", "phase"),
    _SECONDS,
)

# --- what a gateway holds ------------------------------------------------------------------------

PROCESSES = Gauge(f"{PREFIX}processes", "Processes that these metrics cover.")
OPEN_UPLOADS = Gauge(
    f"{PREFIX}open_uploads",
    "Uploads in progress.",
    ("delivery",),
    start=0.0,
    known=(DELIVERIES,),
)
RESUMED = Counter(
    f"{PREFIX}resumed_total",
    "Uploads with a client that asked where to continue, by the client's protocol.",
    ("dialect",),
)
BYTES_NOT_RESENT = Counter(
    f"{PREFIX}bytes_not_resent_total",
    "Bytes that these clients did not have to send again.",
    ("dialect",),
)
SESSION_ENDS = Counter(
    f"{PREFIX}session_ends_total",
    "Ended uploads in several requests, by outcome; lost ones also count as invalid.",
    ("end",),
    (("complete", "cancelled", "invalid", "expired", "lost"),),
)
CONNECTIONS = Gauge(f"{PREFIX}connections", "Open connections of clients.", start=0.0)
LISTENERS = Gauge(
    f"{PREFIX}listeners",
    "Open event streams and long polls.",
    ("kind",),
    start=0.0,
    known=(("stream", "poll"),),
)
CONNECTIONS_CLOSED = Counter(
    f"{PREFIX}connections_closed_total",
    "Connections closed because there were too many: idle ones to make room, or new ones.",
    ("reason",),
    (("idle", "full", "address"),),
)
WEBSOCKETS = Gauge(f"{PREFIX}websockets", "Open WebSockets.", start=0.0)
WEBSOCKETS_CLOSED = Counter(
    f"{PREFIX}websockets_closed_total",
    "Closed WebSockets, by who or what ended them.",
    ("reason",),
    (("client", "chatkitty", "idle", "lifetime", "stuck", "drain"),),
)
WEBSOCKET_BYTES = Counter(
    f"{PREFIX}websocket_bytes_total",
    "Bytes that WebSockets have carried.",
    ("direction",),
    (("from-client", "to-client"),),
)
BUDGET = Gauge(f"{PREFIX}upload_memory_bytes", "Memory for parts of hosted uploads, in bytes.")
BUDGET_USED = Gauge(
    f"{PREFIX}upload_memory_used_bytes", "Memory for parts that is reserved, in bytes."
)
LOOP_LAG = Histogram(
    f"{PREFIX}event_loop_lag_seconds",
    "How many seconds late the event loop runs a timer.",
    (),
    _LAG,
)

# --- what all of them share ----------------------------------------------------------------------

PENDING = Gauge(
    f"{PREFIX}pending_uploads",
    "Uploads that wait for a step, at the last sweep; counting stops at 10,000.",
    kind=MetricType.MOST,
)
OLDEST_PENDING = Gauge(
    f"{PREFIX}oldest_pending_seconds",
    "Age of the oldest pending upload, at the last sweep.",
    kind=MetricType.MOST,
)
OPEN_SESSIONS = Gauge(
    f"{PREFIX}open_sessions",
    "Uploads in several requests that have not finished, at the last sweep; counting stops at "
    "10,000.",
    kind=MetricType.MOST,
)
OUTBOX_OLDEST = Gauge(
    f"{PREFIX}outbox_oldest_seconds",
    "Seconds for which the oldest message to a webhook has waited, at the last sweep.",
    kind=MetricType.MOST,
)
ORPHANS = Gauge(
    f"{PREFIX}orphans",
    "Complete files without a record, by whether they were accepted, at the last sweep.",
    ("accepted",),
    kind=MetricType.MOST,
)
BUCKET_OBJECTS = Gauge(
    f"{PREFIX}bucket_objects",
    "Objects in the bucket by kind, at the last complete count.",
    ("kind",),
    kind=MetricType.MOST,
)
BUCKET_BYTES = Gauge(
    f"{PREFIX}bucket_bytes",
    "Bytes of those objects, at the last complete count.",
    ("kind",),
    kind=MetricType.MOST,
)
BUCKET_COUNT_BEGAN = Gauge(
    f"{PREFIX}bucket_count_began_timestamp_seconds",
    "When the last complete count of the bucket began, in seconds since the epoch.",
    kind=MetricType.MOST,
)
QUEUE_DEPTH = Gauge(
    f"{PREFIX}queue_depth",
    "Messages in the queue at the last sweep.",
    ("queue",),
    kind=MetricType.MOST,
)
LAST_SWEEP = Gauge(
    f"{PREFIX}last_sweep_timestamp_seconds",
    "When the last sweep ran, in seconds since the epoch.",
    kind=MetricType.MOST,
)
CIRCUIT_OPEN = Gauge(
    f"{PREFIX}circuit_open",
    "Whether workers pause requests to ChatKitty (1) because it fails.",
    kind=MetricType.MOST,
)

BROKER_REFUSES = Gauge(
    f"{PREFIX}broker_refuses",
    "Whether the broker refused (1) the last message or the last check by `readyz`.",
    start=0.0,
    kind=MetricType.MOST,
)

# --- what workers do -----------------------------------------------------------------------------

STEPS = Counter(
    f"{PREFIX}steps_total",
    "Steps by outcome: done, postponed (a service was unavailable), taken (by another worker), "
    "given-back (the worker stopped), failed.",
    ("step", "outcome"),
)
ENDS = Counter(
    f"{PREFIX}upload_ends_total",
    "Finished uploads, by their final state.",
    ("delivery", "state"),
    (DELIVERIES, ("registered", "audited", "flagged", "rejected", "failed")),
)
UPLOAD_SECONDS = Histogram(
    f"{PREFIX}upload_seconds",
    "Seconds from an upload's first byte until it is finished.",
    ("delivery", "state"),
    _SECONDS,
)
ATTEMPTS = Counter(
    f"{PREFIX}registration_attempts_total",
    "Requests to register a file, by outcome.",
    ("outcome",),
    (("registered", "refused", "unavailable", "unknown"),),
)
RETRIES = Counter(
    f"{PREFIX}retries_total", "Steps that were postponed, to be tried again.", ("step",)
)
DEAD_LETTERS = Counter(
    f"{PREFIX}dead_letters_total", "Uploads abandoned because their steps never finished."
)
MISMATCHES = Counter(
    f"{PREFIX}mismatches_total",
    "Reasons to flag relayed files: how ChatKitty's answer differed, or the policy.",
    ("kind",),
    (("type", "size", "count", "name", "form", "policy"),),
)
CIRCUIT_CHANGES = Counter(
    f"{PREFIX}circuit_changes_total",
    "Times that this process opened or closed the circuit.",
    ("to",),
    (("open", "closed"),),
)
SWEEPS = Counter(
    f"{PREFIX}sweeps_total",
    "Passes of the sweeper.",
    ("outcome",),
    (("done", "lost", "store-unavailable"),),
)
SWEEP_SECONDS = Histogram(
    f"{PREFIX}sweep_seconds", "Seconds that a pass of the sweeper takes.", (), _SECONDS
)
SWEPT = Counter(
    f"{PREFIX}swept_total",
    "What the sweeper found: overdue uploads, files past their retention, abandoned parts, "
    "orphaned files, expired records, sessions at their end, sessions that cannot be read, tails "
    "without a session.",
    ("kind",),
    (("overdue", "due", "parts", "orphans", "expired", "sessions", "unreadable", "tails"),),
)
REMOVALS = Counter(
    f"{PREFIX}removals_total",
    "Orders to remove a hosted file, by their cause, and by whether the file was removed or kept.",
    ("cause", "outcome"),
    (("message", "subject", "picture", "retention", "operator"), ("removed", "kept")),
)
WEBHOOK_DELIVERIES = Counter(
    f"{PREFIX}webhook_deliveries_total",
    "Messages sent to endpoints of webhooks: delivered, failed (and tried again), gone (410), or "
    "dead (given up).",
    ("endpoint", "outcome"),
)
WEBHOOK_LAG = Histogram(
    f"{PREFIX}webhook_lag_seconds",
    "Seconds from the end of an upload until an endpoint has accepted the message about it.",
    ("endpoint",),
    _SECONDS,
)
LOST_MESSAGES = Counter(
    f"{PREFIX}lost_messages_total", "Tasks that could not be sent; the sweeper sends them again."
)

ALL: Final[tuple[Metric[Any], ...]] = (
    REQUESTS, UPLOADS, PROBLEMS, RECEIVED, SENT, REQUEST_SECONDS, PHASE_SECONDS,
    PROCESSES, OPEN_UPLOADS, RESUMED, BYTES_NOT_RESENT, SESSION_ENDS, LISTENERS,
    CONNECTIONS, CONNECTIONS_CLOSED, WEBSOCKETS, WEBSOCKETS_CLOSED, WEBSOCKET_BYTES,
    BUDGET, BUDGET_USED, LOOP_LAG,
    PENDING, OLDEST_PENDING, OPEN_SESSIONS, OUTBOX_OLDEST, ORPHANS, BUCKET_OBJECTS, BUCKET_BYTES,
    BUCKET_COUNT_BEGAN, QUEUE_DEPTH, LAST_SWEEP, CIRCUIT_OPEN, BROKER_REFUSES,
    STEPS, ENDS, UPLOAD_SECONDS, ATTEMPTS, RETRIES, DEAD_LETTERS, MISMATCHES, CIRCUIT_CHANGES,
    SWEEPS, SWEEP_SECONDS, SWEPT, REMOVALS, WEBHOOK_DELIVERIES, WEBHOOK_LAG, LOST_MESSAGES,
)  # fmt: skip
