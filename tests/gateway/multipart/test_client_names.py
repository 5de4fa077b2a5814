"""Names of files as real clients write them, in forms that were recorded: what we read of each."""

from collections.abc import Iterable

import pytest

from gateway.delivery.form import FormReader
from gateway.errors import MalformedUpload
from gateway.multipart import Scanner, declared_boundaries, may_be_named
from tests.captures.names import NAMES, Named, load_all
from tests.captures.names.expected import LOSSY, REFUSED, expected
from tests.clients.samples import png
from tests.gateway.multipart.tomcat import tomcat

ALL = list(load_all())


def read(capture: Named) -> str:
    """The name that `external` registers."""
    reader = FormReader(
        Scanner(declared_boundaries(capture.content_type)),
        max_file_size=10_000,
        max_form_size=1000,
        sha256=False,
    )
    assert b"".join(reader.receive_data(capture.body)) == png()
    return reader.finish().file.name


def test_thirty_clients_and_all_names_are_there() -> None:
    assert len({capture.client for capture in ALL}) >= 50
    assert {capture.name for capture in ALL} == set(NAMES)
    assert {client for client, _ in REFUSED} | LOSSY <= {capture.client for capture in ALL}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_the_name_is_the_one_that_its_user_wrote(name: str) -> None:
    captures = [each for each in _named(name) if (each.client, name) not in REFUSED]
    found = {each.client: read(each) for each in captures}
    assert found == {each.client: expected(each.client, name) for each in captures}


def test_a_refusal_names_the_line_the_part_and_the_clients_that_do_so() -> None:
    refused = [each for each in ALL if (each.client, each.name) in REFUSED]
    assert len(refused) == len(REFUSED)
    for capture in refused:
        with pytest.raises(MalformedUpload) as caught:
            read(capture)
        told = str(caught.value)
        assert "of the headers of part 1 (`file`)" in told, capture
        assert "(content-disposition)" in told.lower(), capture
        assert "%22" in told, capture


def test_what_tomcat_reads_is_a_reading() -> None:
    for capture in ALL:
        parts = tomcat().read(capture.body, capture.content_type, "utf-8") or ()
        for _, filename, _ in parts:
            assert filename is not None
            assert may_be_named(filename, _disposition(capture.body)), capture


def _named(name: str) -> Iterable[Named]:
    return (capture for capture in ALL if capture.name == name)


def _disposition(body: bytes) -> bytes:
    head = body.partition(b"\r\n\r\n")[0]
    lines = dict(line.partition(b":")[::2] for line in head.split(b"\r\n"))
    return next(
        value for name, value in lines.items() if name.lower() == b"content-disposition"
    ).strip()
