"""The store's errors in words of ours."""

from typing import Any

import pytest
from botocore.exceptions import (  # noqa: TID251 - what is translated
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError  # noqa: TID251

from gateway.errors import (
    ChecksumMismatch,
    ObjectNotFound,
    PreconditionFailed,
    StoreIncapable,
    StoreUnavailable,
    WriteDisturbed,
)
from gateway.store import faults
from gateway.store.faults import Cause


def error(code: Any) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "GetObject")


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("NoSuchKey", ObjectNotFound),
        ("404", ObjectNotFound),
        ("412", PreconditionFailed),
        ("ConditionalRequestConflict", WriteDisturbed),
        ("NotImplemented", StoreIncapable),
        ("BadDigest", ChecksumMismatch),
        ("SlowDown", StoreUnavailable),
        ({"Code": "NoSuchKey"}, StoreUnavailable),
        (None, StoreUnavailable),
    ],
)
def test_each_code_has_its_error(code: Any, ours: type[Exception]) -> None:
    assert type(faults.translated(error(code))) is ours


def test_an_error_may_have_no_code() -> None:
    assert faults.code_of(ClientError({}, "GetObject")) == ""


@pytest.mark.parametrize(
    ("met", "cause"),
    [
        (NoCredentialsError(), Cause.NO_CREDENTIALS),
        (PartialCredentialsError(provider="env", cred_var="x"), Cause.NO_CREDENTIALS),
        (ResponseParserError(), Cause.NO_S3),
        (EndpointConnectionError(endpoint_url="x"), None),
        (None, None),
    ],
)
def test_a_cause_other_than_the_network_is_named(
    met: Exception | None, cause: Cause | None
) -> None:
    assert faults.cause_of(met) is cause


@pytest.mark.parametrize(
    "broken",
    [
        KeyError("ETag"),
        ValueError(),
        TypeError(),
        AttributeError(),
        RuntimeError(),
        OverflowError(),
    ],
)
def test_an_answer_that_breaks_its_parser_is_not_an_s3_answer(broken: Exception) -> None:
    with pytest.raises(ResponseParserError), faults.readable():
        raise broken


@pytest.mark.parametrize("met", [error("SlowDown"), NoCredentialsError(), OSError()])
def test_other_errors_stay_what_they_are(met: Exception) -> None:
    with pytest.raises(type(met)), faults.readable():
        raise met
