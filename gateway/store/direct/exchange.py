"""Sends a request to the bucket and reads the answer, with as many attempts as botocore."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.hooks import first_non_none_response

from gateway.internals.aiobotocore import http_session_of, resolve_endpoint
from gateway.store.direct import failures
from gateway.store.direct.body import Body
from gateway.store.direct.session import Session, host_of, split
from gateway.store.direct.signing import UNSIGNED_BODY, Scope, Unsigned, sign

if TYPE_CHECKING:
    from aiobotocore.credentials import AioCredentials
    from botocore.model import OperationModel
    from types_aiobotocore_s3 import S3Client

    from gateway.internals.aiobotocore import HttpResponse
    from gateway.store.direct.requests import Request

OPERATIONS: Final = ("PutObject", "UploadPart", "GetObject", "HeadObject", "DeleteObject")
SIGNATURE: Final = "s3v4"
"""The kind of signature that is made here, by botocore's name for it."""

_AT_ONCE: Final = 128 * 1024
"""A body of at most this many bytes is sent in one piece: it fits in the socket's buffer anyway."""

_READ_BY_CALLER: Final = "GetObject"


class Endpoint(NamedTuple):
    """Where the bucket is: its URL, and the context of botocore's calls to it."""

    url: str
    context: dict[str, Any]

    @property
    def signature(self) -> str:
        """The kind of signature that the bucket accepts."""
        return str(self.context["auth_type"])


class _Failure(NamedTuple):
    """A failed attempt: the store's answer as botocore parses it, or what was raised instead."""

    error: Exception
    answer: tuple[HttpResponse, dict[str, Any]] | None = None


class Exchange:
    """Sends requests to one bucket.

    It asks aiobotocore's client where the bucket is, where it was moved to, and whether and when a
    failed request is sent again.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        credentials: AioCredentials | None,
        endpoint: Endpoint,
    ) -> None:
        """The caller closes the client; `endpoint` is from `find`."""
        self._client = client
        self._bucket = bucket
        self._credentials = credentials
        self._endpoint = endpoint
        self._http = Session(http_session_of(client))
        self._events = client.meta.events
        self._operations = {name: _operation(client, name) for name in OPERATIONS}
        config = cast(Any, client.meta.config)
        self._user_agent: str = config.user_agent
        self._signs_bodies: bool = config.s3["payload_signing_enabled"]
        self._ahead = timedelta()

    @staticmethod
    async def find(client: S3Client, bucket: str) -> Endpoint:
        """Where the client finds the bucket. Raises BotoCoreError for an impossible name."""
        operation = _operation(client, "HeadObject")
        params: dict[str, Any] = {"Bucket": bucket, "Key": "key"}
        context: dict[str, Any] = {
            "client_region": client.meta.region_name,
            "client_config": client.meta.config,
            "auth_type": operation.resolved_auth_type,
        }
        await client.meta.events.emit(
            "before-parameter-build.s3.HeadObject", params=params, model=operation, context=context
        )
        return Endpoint(await resolve_endpoint(client, operation, params, context), context)

    async def ask(self, request: Request) -> HttpResponse:
        """Send the request until it succeeds, or another attempt would not help.

        The caller reads the body of a GetObject. Raises what `S3Calls` raises.
        """
        operation = self._operations[request.operation]
        call = self._begin(request)
        attempts, corrected = 1, False
        while True:
            ahead = self._ahead
            outcome = await self._attempt(request, operation, call, ahead)
            if not isinstance(outcome, _Failure):
                break
            if not corrected and self._correct_clock(outcome, ahead):
                corrected = True
                continue
            delay = await self._delay(operation, call, attempts, outcome)
            if delay is None:
                raise outcome.error
            attempts += 1
            await asyncio.sleep(delay)
        # Returns to the client's retry quota what the retries have used.
        await self._events.emit(
            f"after-call.s3.{operation.name}",
            http_response=outcome,
            parsed={},
            model=operation,
            context=call["context"],
        )
        return outcome

    def _begin(self, request: Request) -> dict[str, Any]:
        """The call as botocore's event handlers expect and change it."""
        context = self._endpoint.context
        redirect = {**context["s3_redirect"]}
        return {
            "url": self._endpoint.url.removesuffix("/") + request.target,
            "context": {**context, "s3_redirect": redirect},
        }

    async def _attempt(
        self, request: Request, operation: OperationModel, call: dict[str, Any], ahead: timedelta
    ) -> HttpResponse | _Failure:
        if request.body is not None:
            request.body.seek(0)
        signed = await self._signed(request, call, ahead)
        try:
            response = await self._http.send(signed)
        except BotoCoreError as error:
            return _Failure(error)
        return await self._failure_in(response, operation) or response

    async def _signed(
        self, request: Request, call: dict[str, Any], ahead: timedelta
    ) -> AWSPreparedRequest:
        if self._credentials is None:
            raise NoCredentialsError
        credentials = await self._credentials.get_frozen_credentials()
        origin, target = split(call["url"])
        unsigned = Unsigned(
            request.method,
            target,
            {**request.headers, "Host": host_of(origin)},
            _digest(request) if self._signs_bodies else UNSIGNED_BODY,
        )
        signing = call["context"]["signing"]
        scope = Scope(signing["signing_name"], signing["region"])
        headers = sign(unsigned, credentials, scope, datetime.now(UTC) + ahead)
        headers["User-Agent"] = self._user_agent
        if request.length is not None:
            headers["Content-Length"] = str(request.length)
        streamed = request.operation == _READ_BY_CALLER
        body = cast(Any, _payload(request))  # botocore passes it on to aiohttp
        return AWSPreparedRequest(
            request.method, call["url"], cast(Any, headers), body, stream_output=streamed
        )

    async def _failure_in(
        self, response: HttpResponse, operation: OperationModel
    ) -> _Failure | None:
        status = response.status_code
        if status == 200 and operation.name != _READ_BY_CALLER and (body := await response.content):
            # S3 may send an error with a success status (its documentation of CopyObject says so).
            changed: dict[str, Any] = {
                "status_code": status,
                "headers": response.headers,
                "body": body,
            }
            await self._events.emit(
                f"before-parse.s3.{operation.name}",
                operation_model=operation,
                response_dict=changed,
                customized_response_dict={},
            )
            status = changed["status_code"]
        if status < 300:
            return None
        parsed = failures.read_error(operation, status, response.headers, await response.content)
        error = ClientError(cast(Any, parsed), operation.name)
        return _Failure(error, (response, parsed))

    def _correct_clock(self, failure: _Failure, ahead: timedelta) -> bool:
        """Sign by the store's clock from now on, if the store refused the request for its time."""
        if failure.answer is None:
            return False
        correction = failures.clock_error(failure.answer[1], datetime.now(UTC) + ahead)
        if correction is None:
            return False
        self._ahead = ahead + correction
        return True

    async def _delay(
        self, operation: OperationModel, call: dict[str, Any], attempts: int, failure: _Failure
    ) -> float | None:
        """Seconds until the next attempt, or None if there is none."""
        delays = await self._events.emit(
            f"needs-retry.s3.{operation.name}",
            response=failure.answer,
            endpoint=None,
            operation=operation,
            attempts=attempts,
            caught_exception=failure.error if failure.answer is None else None,
            request_dict=call,
        )
        if call["context"]["s3_redirect"]["redirected"]:
            self._endpoint = await self.find(self._client, self._bucket)
        delay: float | None = first_non_none_response(delays)
        return delay


def _digest(request: Request) -> str:
    return sha256(request.body.getbuffer() if request.body is not None else b"").hexdigest()


def _payload(request: Request) -> bytes | Body | None:
    """The body in the form that costs aiohttp the least work."""
    if request.body is None:
        return None
    if request.body.getbuffer().nbytes <= _AT_ONCE:
        return request.body.getvalue()
    return Body(request.body)


def _operation(client: S3Client, name: str) -> OperationModel:
    return client.meta.service_model.operation_model(name)
