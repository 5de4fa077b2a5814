import pytest

from gateway.errors import ConfigurationError
from gateway.server.fields.hosts import files_location, is_files_host
from gateway.server.handlers.files import is_active, is_inert
from gateway.settings import load

SETTINGS = {"GATEWAY_SECRET_KEY": "A" * 43 + "=", "GATEWAY_PUBLIC_URL": "https://api.example"}
APART = load({**SETTINGS, "GATEWAY_FILES_URL": "https://files.example"})


@pytest.mark.parametrize(
    ("content_type", "inert", "active"),
    [
        ("image/png", True, False),
        ("image/svg+xml", False, True),
        ("video/mp4", True, False),
        ("text/plain", True, False),
        ("application/pdf", True, False),
        ("text/html", False, True),
        ("application/xml", False, True),
        ("application/xhtml+xml", False, True),
        ("application/javascript", False, True),
        ("text/x-shellscript", False, True),
        ("application/octet-stream", False, False),
        ("application/zip", False, False),
        ("text/csv", False, False),
        ("x-unheard/of", False, False),
    ],
)
def test_only_what_is_known_to_do_nothing_is_shown(
    content_type: str, inert: bool, active: bool
) -> None:
    assert (is_inert(content_type), is_active(content_type)) == (inert, active)


@pytest.mark.parametrize("host", ["files.example", "FILES.example", "files.example:8443"])
def test_files_have_a_host_of_their_own(host: str) -> None:
    assert is_files_host(APART, host)
    assert files_location(APART, host, "/gateway/files/t/n?grant=x") is None


@pytest.mark.parametrize("host", ["api.example", "files.example.evil", "evilfiles.example", ""])
def test_requests_for_files_elsewhere_are_redirected_to_their_host(host: str) -> None:
    assert not is_files_host(APART, host)
    found = files_location(APART, host, "/gateway/files/t/n?grant=x")
    assert found == "https://files.example/gateway/files/t/n?grant=x"


def test_without_a_files_host_files_have_the_common_host() -> None:
    together = load(SETTINGS)
    assert not is_files_host(together, "api.example")
    assert files_location(together, "api.example", "/gateway/files/t/n") is None


def test_the_files_host_is_another_than_the_public_one() -> None:
    with pytest.raises(ConfigurationError, match="must have another host name"):
        load({**SETTINGS, "GATEWAY_FILES_URL": "https://api.example:444"})
