"""Reads answers that are errors as botocore reads them. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, cast

from botocore.model import OperationModel, Shape
from botocore.parsers import create_parser

from gateway.store import answers
from gateway.store.calls import Headers

TOLERANCE: Final = timedelta(minutes=4)
"""A clock that is wrong by less is not the cause of a refusal; S3 allows 15 minutes."""

_OF_A_WRONG_CLOCK: Final = frozenset(
    {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture", "403"}
)
"""The last one is the code of any 403 without a body: the answer to a HEAD names no error."""

_PARSER: Final = create_parser("rest-xml")


def read_error(
    operation: OperationModel, status: int, headers: Headers, body: bytes
) -> dict[str, Any]:
    """The answer as botocore's errors hold it: `Error` and `ResponseMetadata`."""
    response = {
        "headers": headers,
        "status_code": status,
        "body": body,
        "context": {"operation_name": operation.name},
    }
    return dict(_PARSER.parse(response, cast(Shape, operation.output_shape)))


def clock_error(parsed: Mapping[str, Any], now: datetime) -> timedelta | None:
    """How far the store's clock is ahead of `now`, if the store refused a request for its time.

    `now` is the signature's time. Raises ResponseParserError.
    """
    if parsed.get("Error", {}).get("Code") not in _OF_A_WRONG_CLOCK:
        return None
    ahead = answers.answered(parsed["ResponseMetadata"]["HTTPHeaders"]) - now
    return ahead if abs(ahead) > TOLERANCE else None
