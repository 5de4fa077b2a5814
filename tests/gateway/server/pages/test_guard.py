"""Which names are the admin port's own."""

import socket

import pytest

from gateway.server.pages.guard import is_own_host
from tests.gateway.server.pages.ground import settings


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8081", True),
        ("[::1]:8081", True),
        ("[fd00::1]", True),
        ("LOCALHOST:1", True),
        ("localhost.", True),
        ("a.localhost", True),
        ("admin.internal:8081", True),
        (socket.gethostname(), True),
        ("", False),
        (":8081", False),
        ("127.0.0.1.example", False),
        ("notlocalhost", False),
        ("localhost.example", False),
        ("[::1", True),
        ("[attacker.example]", False),
        ("0x7f000001", False),
    ],
)
def test_only_addresses_and_own_names_are(host: str, own: bool) -> None:
    assert is_own_host(host, settings(host="admin.internal")) is own
