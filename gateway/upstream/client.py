"""The part of ChatKitty's API that files need."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import urlencode

from gateway.answer import Answer, Refusal
from gateway.errors import UpstreamError
from gateway.upstream import retry
from gateway.upstream.credentials import Credentials
from gateway.upstream.endpoints import Endpoint, Generation, generation_of
from gateway.upstream.transport import Request, Transport

_LONGEST_MESSAGE: Final = 200
_GONE: Final = 404


@dataclass(frozen=True, slots=True)
class Identity:
    """The application that a token belongs to. ChatKitty does not say when the token expires."""

    application_id: int


class ChatKitty:
    """The API below one base URL, in either generation.

    Every method raises UpstreamUnavailable or UpstreamTimeout if no answer came, Refusal (an
    UpstreamRefused) for an error status, and UpstreamError for an answer that makes no sense.
    """

    def __init__(self, transport: Transport, base_url: str) -> None:
        """Speak to the API at `base_url`; paths are appended to it as they are."""
        self._transport = transport
        self._base_url = base_url.rstrip("/")

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        base_url: str,
        *,
        timeout: float,  # noqa: ASYNC109 - of every later exchange, not of this call
    ) -> AsyncIterator[Self]:
        """A client with connections of its own; an exchange may take `timeout` seconds."""
        async with Transport.open(timeout) as transport:
            yield cls(transport, base_url)

    async def register(
        self,
        endpoint: Endpoint,
        body: Mapping[str, object],
        credentials: Credentials,
        *,
        send_by: float | None = None,
    ) -> Answer:
        """Post the reference of an external file; the answer is the message or the user.

        It is sent before that time of the monotonic clock, or not at all. An error has
        `outcome_unknown` if ChatKitty may have made the message anyway.
        """
        request = self._request("POST", endpoint.path, {"Content-Type": "application/json"})
        request = replace(
            request, body=json.dumps(body).encode(), idempotent=False, send_by=send_by
        )
        answer = await self._authorized(request, credentials)
        if answer.json_object() is None:
            raise UpstreamError("ChatKitty's answer is not a JSON object", outcome_unknown=True)
        return answer

    async def get_json(
        self, path: str, params: Mapping[str, str], credentials: Credentials
    ) -> dict[str, object]:
        """The JSON object under `path`; `params` become its query."""
        target = f"{path}?{urlencode(params)}" if params else path
        answer = await self._authorized(self._request("GET", target), credentials)
        if (document := answer.json_object()) is None:
            raise UpstreamError("ChatKitty's answer is not a JSON object")
        return document

    async def delete_message(
        self, generation: Generation, message_id: int, credentials: Credentials
    ) -> None:
        """Delete a message; one that is gone already is no error."""
        request = self._request("DELETE", f"{generation.prefix}/messages/{message_id}")
        try:
            await self._authorized(request, credentials)
        except Refusal as refusal:
            if refusal.status != _GONE:
                raise

    async def whoami(self, credentials: Credentials) -> Identity | None:
        """The application of a token; None if ChatKitty does not accept it.

        Source: ChatKitty OpenAPI 2.41.9, `retrieve-authenticated-application`.
        """
        for generation in Generation:
            try:
                application = await self.get_json(
                    f"{generation.prefix}/application", {}, credentials
                )
            except Refusal as refusal:
                if refusal.status in (401, 403):
                    return None
                if refusal.status == _GONE and generation is not Generation.CURRENT:
                    continue
                raise
            if type(application_id := application.get("id")) is int:
                return Identity(application_id)
        raise UpstreamError("ChatKitty does not say which user the token belongs to")

    def _request(
        self, method: str, target: str, headers: Mapping[str, str] | None = None
    ) -> Request:
        accept = {"Accept": generation_of(target).accept}
        return Request(method, self._base_url + target, {**accept, **(headers or {})})

    async def _authorized(self, request: Request, credentials: Credentials) -> Answer:
        """The successful answer to `request`; a 401 renews the credentials once, if they can be."""
        authorization = await credentials.authorization()
        answer = await self._send(request, authorization)
        if answer.status == 401:
            renewed = await credentials.renewed(authorization)
            if renewed is not None:
                answer = await self._send(request, renewed)
        if not answer.is_success:
            raise _refusal(answer, idempotent=request.idempotent)
        return answer

    async def _send(self, request: Request, authorization: str) -> Answer:
        headers = {**request.headers, "Authorization": authorization}
        return await self._transport.exchange(replace(request, headers=headers))


def _refusal(answer: Answer, *, idempotent: bool) -> Refusal:
    retry_after = retry.retry_after_seconds(answer.header("Retry-After"), datetime.now(UTC))
    asks_to_wait = answer.header("Retry-After") is not None
    return Refusal(
        _detail(answer),
        answer,
        retryable=retry.is_retryable(answer.status),
        outcome_unknown=not idempotent
        and retry.may_have_acted(answer.status, asks_to_wait=asks_to_wait),
        retry_after=retry_after,
    )


def _detail(answer: Answer) -> str:
    """ChatKitty's text of an error, shortened to one line."""
    document = answer.json_object() or {}
    spoken = document.get("message") or document.get("error_description") or document.get("error")
    if not isinstance(spoken, str):
        return f"ChatKitty answered {answer.status}"
    line = "".join(char if char.isprintable() else " " for char in spoken[:_LONGEST_MESSAGE])
    return f"ChatKitty answered {answer.status}: {line}"
