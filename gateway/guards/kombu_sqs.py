"""Guards against faults of kombu's transport for SQS."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError
from kombu.transport import SQS as kombu  # noqa: N811 - the module is called so

_GONE: Final = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")

_base: Final[Any] = kombu.Channel


class RemadeQueues(_base):  # type: ignore[misc]
    """Creates a deleted queue again, unless it was created by hand.

    Fault: kombu keeps the addresses of queues, and never checks whether they still exist: no task
    reaches a deleted queue until the sender starts again. Seen in kombu 5.7.0.
    Not reported.
    """

    canonical_queue_name: Callable[[str], str]
    _queue_cache: dict[str, str]

    def _put(self, queue: str, message: Mapping[str, Any], **options: Any) -> None:
        try:
            super()._put(queue, message, **options)
        except ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
            self._queue_cache.pop(self.canonical_queue_name(queue), None)
            super()._put(queue, message, **options)
