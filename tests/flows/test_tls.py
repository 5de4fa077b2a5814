"""ChatKitty is reached over TLS, and only a server with its certificate gets an upload."""

import asyncio
import os
import signal
import socket
import ssl
import threading
from pathlib import Path

import pytest

from gateway.stack.ports import HOST
from tests.flows.client import Client
from tests.flows.raw import FORM_TYPE, PATIENCE, exchange, form, head
from tests.flows.recorder import recording
from tests.servers.certificate import self_signed
from tests.servers.gateway import Gateway
from tests.servers.sandbox import TOKENS

PATH = "/v1/channels/702/messages"
AUTHORIZATION = f"Authorization: Bearer {TOKENS['alice']}"


@pytest.fixture(scope="module")
def certificate(servers_dir: Path) -> Path:
    return self_signed(servers_dir / "upstream.pem")


async def test_an_abandoned_upload_is_not_sent_late(
    environ: dict[str, str], servers_dir: Path, certificate: Path
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    body = form(b"x")
    upload = head(PATH, AUTHORIZATION, FORM_TYPE, f"Content-Length: {len(body)}") + body
    with socket.create_server((HOST, 0)) as upstream:
        upstream.settimeout(PATIENCE)
        settings = {
            "GATEWAY_UPSTREAM_URL": f"https://{HOST}:{upstream.getsockname()[1]}",
            "GATEWAY_UPSTREAM_TIMEOUT": "5",
            "SSL_CERT_FILE": str(certificate),
        }
        with Gateway.start({**environ, **settings}, servers_dir) as gateway:
            # The first makes the token known, so that the fast engine has the second.
            at_once, given_up = threading.Event(), threading.Event()
            at_once.set()
            served = asyncio.create_task(asyncio.to_thread(_serve, upstream, tls, at_once))
            known = await exchange(gateway.url, upload, until=b"{}")
            assert (known.status, (await served)[-9:]) == (200, body[-9:])
            served = asyncio.create_task(asyncio.to_thread(_serve, upstream, tls, given_up))
            late = await exchange(gateway.url, upload, until=b"\r\n\r\n")
            given_up.set()
            assert (late.status, await served) == (504, b"")


def _serve(upstream: socket.socket, tls: ssl.SSLContext, begin: threading.Event) -> bytes:
    """What one client sends; the server speaks TLS only once the test allows it."""
    connection, _ = upstream.accept()
    begin.wait(PATIENCE)
    connection.settimeout(PATIENCE)
    data = b""
    try:
        with tls.wrap_socket(connection, server_side=True) as secured:
            while not data.endswith(b"--b--\r\n") and (more := secured.recv(65_536)):
                data += more
            secured.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
    except OSError:  # it left in the meantime
        connection.close()
    return data


@pytest.mark.parametrize("engine", ["fast", "plain"])
@pytest.mark.parametrize("trusted", [True, False])
async def test_the_upstreams_certificate_is_checked(
    environ: dict[str, str], servers_dir: Path, certificate: Path, engine: str, trusted: bool
) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    trust = {"SSL_CERT_FILE": str(certificate)} if trusted else {}
    with recording(tls) as upstream:
        settings = {"GATEWAY_UPSTREAM_URL": upstream.url, "GATEWAY_ENGINE": engine, **trust}
        with Gateway.start({**environ, **settings}, servers_dir) as gateway:
            async with Client.open(gateway.url, TOKENS["alice"]) as client:
                answers = [await client.upload(PATH, bytes(size)) for size in (10, 20, 3_000_000)]
            # Not by SIGTERM: it would wait ten seconds for the rest of an upload that was refused.
            os.kill(gateway.pid, signal.SIGKILL)
        bodies = [len(seen.body) for seen in upstream.take()]
    if trusted:
        assert [answer.status for answer in answers] == [200, 200, 200]
        assert len(bodies) == 3
        assert bodies[2] > 3_000_000 > len(form(b"")) + bodies[1]
    else:
        assert [answer.status for answer in answers] == [502, 502, 502]
        assert not bodies
