"""A worker's metrics, served on a separate port by the process that leads the pool."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from prometheus_client import start_http_server

from gateway.metrics import catalogue
from gateway.metrics.directory import DIRECTORY, metrics_directory
from gateway.metrics.exposition import registry_of
from gateway.metrics.shared import Shared, reset

_WRITE_SECONDS: Final = 1.0


class WorkerMetrics:
    """The counts of a worker: of the one process of a threads pool, or a prefork pool's children.

    Each method is called once, by the process that it names.
    """

    def __init__(self) -> None:
        self._directory: Path | None = None
        self._stack = ExitStack()
        self._stopped = threading.Event()
        self._writer: threading.Thread | None = None

    def serve(self, host: str, port: int) -> None:
        """In the first process, before it has children: serve all metrics. Raises OSError."""
        environ = self._stack.enter_context(metrics_directory({}))
        self._directory = Path(environ[DIRECTORY])
        shared = self._join()
        server, thread = start_http_server(port, host, registry_of(shared.read))
        self._stack.callback(thread.join)
        self._stack.callback(server.server_close)
        self._stack.callback(server.shutdown)

    def begin_child(self) -> None:
        """In a child, which has got by fork what its parent counted."""
        if self._directory is not None:
            reset()
            self._stack = ExitStack()  # the server and the directory are the parent's
            self._join()

    def close(self) -> None:
        """At the end of either process."""
        self._stopped.set()
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        self._stack.close()

    def _join(self) -> Shared:
        shared = self._stack.enter_context(Shared(self._directory))
        catalogue.PROCESSES.set(to=1)
        self._stopped = threading.Event()
        self._writer = threading.Thread(
            target=self._write, args=(shared,), name="metrics", daemon=True
        )
        self._writer.start()
        return shared

    def _write(self, shared: Shared) -> None:
        while not self._stopped.wait(_WRITE_SECONDS):
            shared.write()
