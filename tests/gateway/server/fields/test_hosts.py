"""Which names of a host are those of hosted files."""

import pytest
from cryptography.fernet import Fernet

from gateway.server.fields.hosts import is_files_host
from gateway.settings import load

SETTINGS = load(
    {
        "GATEWAY_SECRET_KEY": Fernet.generate_key().decode(),
        "GATEWAY_FILES_URL": "https://files.example",
    }
)


@pytest.mark.parametrize(
    "host", ["files.example", "FILES.example:443", "files.example.", "files.example.:8080"]
)
def test_a_name_is_the_same_with_its_port_and_the_dot_of_the_root(host: str) -> None:
    assert is_files_host(SETTINGS, host)


@pytest.mark.parametrize("host", ["", "example", "files.example.org", "x:files.example", "[::1]"])
def test_other_names_are_others(host: str) -> None:
    assert not is_files_host(SETTINGS, host)
