"""Ports that no other program gets, nor is asked at."""

import re
import socket
import time
from pathlib import Path

import pytest

from gateway.stack import ports
from gateway.stack.ports import HOST, free_port, free_port_from, free_ports


def test_a_port_is_kept_for_the_server_that_names_it() -> None:
    port = free_port()
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind((HOST, port))
    with socket.create_server((HOST, port)) as server:
        assert server.getsockname()[1] == port


def test_no_port_is_given_twice() -> None:
    """Whoever asks: the kernel keeps them, and not this process."""
    given = free_ports(250) + [free_port() for _ in range(250)]
    assert len(set(given)) == len(given)


def test_a_port_above_others_is_kept_as_well() -> None:
    given = [free_port_from(60_000) for _ in range(10)]
    assert len(set(given)) == len(given)
    assert min(given) >= 60_000
    with socket.create_server((HOST, given[0])) as server:
        assert server.getsockname()[1] == given[0]


def test_no_port_is_given_if_none_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((HOST, 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(ports, "LAST", taken)
        with pytest.raises(OSError, match=f"no port from {taken} to {taken} is free"):
            free_port_from(taken)


@pytest.mark.usefixtures("seaweedfs")
def test_seaweedfs_asks_nobody_where_its_admin_server_is_not(servers_dir: Path) -> None:
    log = servers_dir / "s3.log"
    while not (faults := re.findall("Plugin worker .* while dialing: (.*)", log.read_text())):
        time.sleep(0.1)
    assert [fault for fault in faults if "invalid port" not in fault] == []
