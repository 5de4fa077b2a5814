"""Failures as botocore's parser reads them, and those that a wrong clock is the cause of."""

from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session  # noqa: TID251 - the model for the answers
import pytest
from botocore.parsers import ResponseParserError  # noqa: TID251

from gateway.store.direct import failures

NOW = datetime(2026, 11, 29, 7, tzinfo=UTC)
DATE = "Sun, 29 Nov 2026 08:00:00 GMT"
SKEWED = b"<Error><Code>RequestTimeTooSkewed</Code></Error>"


def read(status: int, body: bytes, **headers: str) -> dict[str, Any]:
    model = botocore.session.get_session().get_service_model("s3").operation_model("GetObject")
    return failures.read_error(model, status, headers, body)


def test_an_error_has_a_name_and_the_stores_ids() -> None:
    headers = {"x-amz-request-id": "request", "x-amz-id-2": "host"}
    error = read(503, b"<Error><Code>SlowDown</Code><Message>m</Message></Error>", **headers)
    assert error["Error"] == {"Code": "SlowDown", "Message": "m"}
    assert error["ResponseMetadata"] == {
        "RequestId": "request",
        "HostId": "host",
        "HTTPStatusCode": 503,
        "HTTPHeaders": headers,
    }


@pytest.mark.parametrize(
    ("status", "body"), [(404, b""), (404, b"<p>Hello<p>"), (502, b"<html></html>"), (500, b" ")]
)
def test_an_error_without_a_name_is_named_by_its_status(status: int, body: bytes) -> None:
    assert read(status, body)["Error"]["Code"] == str(status)


@pytest.mark.parametrize(
    ("parsed", "off"),
    [
        (read(403, SKEWED, date=DATE), timedelta(hours=1)),
        (read(403, b"", date=DATE), timedelta(hours=1)),
        (read(403, SKEWED, date="Sun, 29 Nov 2026 06:00:00 GMT"), -timedelta(hours=1)),
        (read(403, SKEWED, date="Sun, 29 Nov 2026 07:04:00 GMT"), None),
        (read(403, b"<Error><Code>AccessDenied</Code></Error>", date=DATE), None),
        (read(400, b"", date=DATE), None),
    ],
)
def test_the_clock_is_wrong_if_the_store_says_so(
    parsed: dict[str, Any], off: timedelta | None
) -> None:
    assert failures.clock_error(parsed, NOW) == off


def test_an_invalid_date_corrects_no_clock() -> None:
    with pytest.raises(ResponseParserError):
        failures.clock_error(read(403, b"", date="soon"), NOW)
