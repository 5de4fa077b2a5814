"""Without free file descriptors, no server is called unavailable: the gateway is busy."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest
from multidict import CIMultiDict

from gateway.delivery.forward import Forwarder, Outgoing, upstream_session
from gateway.delivery.relay.upstream import UpstreamPool
from gateway.descriptors import ran_out
from gateway.errors import GatewayError, StoreUnavailable, UpstreamUnavailable, VerifierUnavailable
from gateway.problems import problem_of
from gateway.store.s3 import S3Store
from gateway.upstream.transport import Request, Transport

NOBODY = "http://127.0.0.1:9"
Ask = Callable[[], Awaitable[object]]


@contextmanager
def none_left() -> Iterator[None]:
    """As long as it lasts, this process can open nothing."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Not "as many as are open": garbage of other tests may close one meanwhile.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
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
            forwarder = Forwarder(session, NOBODY, 1.0)

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


async def test_lack_of_descriptors_is_not_blamed_on_the_peer(ask: Ask) -> None:
    with none_left():
        error = await _failure(ask)
        # Asked while none is left, as the gateway does.
        problem, of_verifier = problem_of(error), problem_of(_verifier(error))
    assert (problem.kind.status, problem.kind.slug) == (503, "busy")
    assert int(problem.headers["Retry-After"]) >= 1
    assert not problem.outcome_unknown
    assert of_verifier.kind.slug == "busy"


async def test_unavailable_part_is_reported_as_unavailable(ask: Ask) -> None:
    assert problem_of(await _failure(ask)).kind.slug in {
        "upstream-unavailable",
        "store-unavailable",
    }


async def _failure(ask: Ask) -> GatewayError:
    with pytest.raises((UpstreamUnavailable, StoreUnavailable)) as caught:
        await ask()
    return caught.value


def _verifier(cause: Exception) -> VerifierUnavailable:
    error = VerifierUnavailable("the token cannot be verified right now")
    error.__cause__ = cause
    return error


def test_an_unresolvable_name_is_not_a_lack_of_descriptors() -> None:
    async def resolve() -> None:
        await asyncio.get_running_loop().getaddrinfo("nobody.invalid", 80)

    with pytest.raises(socket.gaierror) as caught:
        asyncio.run(resolve())
    assert not ran_out(caught.value)
    with none_left():
        assert ran_out(caught.value)
