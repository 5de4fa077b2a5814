"""Out of file descriptors, whoever is to be reached is not called away: the gateway is busy."""

import asyncio
import os
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from multidict import CIMultiDict

from gateway.delivery.forward import Forwarder, Outgoing, upstream_session
from gateway.delivery.pool import UpstreamPool
from gateway.descriptors import ran_out
from gateway.errors import StoreUnavailable, UpstreamUnavailable, VerifierUnavailable
from gateway.problems import problem_of
from gateway.store.s3 import S3Store
from gateway.upstream.transport import Request, Transport

NOBODY = "http://127.0.0.1:9"
Ask = Callable[[], Awaitable[object]]


@contextmanager
def none_left() -> Iterator[None]:
    """As long as it lasts, this process can open nothing."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(params=["fast relay", "fast relay by name", "plain relay", "issuer", "store"])
async def ask(request: pytest.FixtureRequest) -> AsyncIterator[Ask]:
    """Asks a server that was never asked before."""
    if request.param == "fast relay":
        yield UpstreamPool(NOBODY).connect
    elif request.param == "fast relay by name":
        yield UpstreamPool("http://localhost:9").connect
    elif request.param == "plain relay":
        async with upstream_session(1.0) as session:
            forwarder = Forwarder(session, NOBODY)

            async def send() -> None:
                async with forwarder.send(Outgoing("GET", "/", CIMultiDict(), None)):
                    pass

            yield send
    elif request.param == "issuer":
        async with Transport.open(1.0) as transport:
            yield lambda: transport.exchange(Request("GET", NOBODY, {}))
    else:
        async with S3Store.open(
            endpoint_url=NOBODY,
            bucket="none",
            region="us-east-1",
            access_key_id="none",
            secret_access_key="none",
        ) as store:
            yield store.ping


async def test_whoever_was_to_be_reached_is_not_blamed(ask: Ask) -> None:
    with none_left(), pytest.raises((UpstreamUnavailable, StoreUnavailable)) as caught:
        await ask()
    problem = problem_of(caught.value)
    assert (problem.kind.status, problem.kind.slug) == (503, "busy")
    assert int(problem.headers["Retry-After"]) >= 1
    assert not problem.outcome_unknown
    assert problem_of(_verifier(caught.value)).kind.slug == "busy"


async def test_whoever_is_away_is_told_to_be_away(ask: Ask) -> None:
    with pytest.raises((UpstreamUnavailable, StoreUnavailable)) as caught:
        await ask()
    assert problem_of(caught.value).kind.slug in {"upstream-unavailable", "store-unavailable"}


def _verifier(cause: Exception) -> VerifierUnavailable:
    error = VerifierUnavailable("nobody can be asked about the token now")
    error.__cause__ = cause
    return error


def test_a_name_that_nobody_can_resolve_is_no_want_of_descriptors() -> None:
    async def resolve() -> None:
        await asyncio.get_running_loop().getaddrinfo("nobody.invalid", 80)

    with pytest.raises(socket.gaierror) as caught:
        asyncio.run(resolve())
    assert not ran_out(caught.value)
    with none_left():
        assert ran_out(caught.value)
