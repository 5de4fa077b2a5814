import socket

import pytest

from gateway.stack.ports import HOST, free_port, free_ports


def test_a_port_is_kept_for_the_server_that_names_it() -> None:
    port = free_port()
    with socket.socket() as another, pytest.raises(OSError, match="in use"):
        another.bind((HOST, port))
    with socket.create_server((HOST, port)) as server:
        assert server.getsockname()[1] == port


def test_no_port_is_given_twice() -> None:
    """Whoever asks: the kernel keeps them, and not this process."""
    ports = free_ports(250) + [free_port() for _ in range(250)]
    assert len(set(ports)) == len(ports)
