import hashlib

import pytest

from gateway import errors
from gateway.delivery.form import Form, FormReader
from gateway.multipart import Scanner, declared_boundaries
from tests.gateway.delivery.bodies import CONTENT_TYPE, Part, cut, encode

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4
FILE = Part("file", PNG, "a.png", "image/png")


def read(
    body: bytes, *, chunk: int = 97, max_file: int = 10_000, max_form: int = 1000
) -> tuple[bytes, Form]:
    reader = FormReader(
        Scanner(declared_boundaries(CONTENT_TYPE)),
        max_file_size=max_file,
        max_form_size=max_form,
        sha256=True,
    )
    data = b"".join(data for piece in cut(body, chunk) for data in reader.receive_data(piece))
    return data, reader.finish()


@pytest.mark.parametrize("chunk", [1, 7, 97, 10_000])
def test_the_files_bytes_come_out_unchanged(chunk: int) -> None:
    data, form = read(encode(FILE), chunk=chunk)
    assert data == PNG
    assert form.file.size == len(PNG)
    assert form.file.sha256 == hashlib.sha256(PNG).hexdigest()
    assert (form.file.name, form.file.declared_type) == ("a.png", "image/png")


def test_fields_may_come_before_and_after_the_file() -> None:
    _, form = read(encode(Part("groupTag", b"g1"), FILE, Part("properties", '{"é":1}'.encode())))
    assert form.fields == (("groupTag", "g1"), ("properties", '{"é":1}'))


def test_a_file_without_a_filename_still_has_a_safe_name() -> None:
    _, form = read(encode(Part("file", PNG)))
    assert form.file.original_name is None
    assert form.file.name == "file"


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ([], errors.MissingFile),
        ([Part("groupTag", b"g1")], errors.MissingFile),
        ([FILE, FILE], errors.SeveralFiles),
        ([Part("file", b"", "a.png")], errors.EmptyFile),
        ([FILE, Part("other", b"x", "b.png")], errors.InvalidField),
        ([FILE, Part("groupTag", b"\xff")], errors.InvalidField),
        ([FILE, Part("properties", b"x" * 1001)], errors.FormTooLarge),
        ([FILE, *[Part(f"f{n}", b"x" * 300) for n in range(4)]], errors.FormTooLarge),
        ([Part("file", b"x" * 10_001, "a")], errors.FileTooLarge),
    ],
)
def test_a_form_that_cannot_be_accepted_is_refused(
    parts: list[Part], error: type[Exception]
) -> None:
    if not parts:
        parts = [Part("nothing", b"")]
    with pytest.raises(error):
        read(encode(*parts))


def test_a_file_at_the_limit_is_accepted() -> None:
    data, _ = read(encode(Part("file", b"x" * 10_000, "a")))
    assert len(data) == 10_000


def test_a_file_that_is_too_large_is_refused_before_its_end() -> None:
    reader = FormReader(
        Scanner(declared_boundaries(CONTENT_TYPE)),
        max_file_size=10,
        max_form_size=10,
        sha256=False,
    )
    unfinished = encode(Part("file", b"x" * 1000, "a"))[:200]
    with pytest.raises(errors.FileTooLarge):
        list(reader.receive_data(unfinished))


@pytest.mark.parametrize("end", [1, 40, 90, 200, -1, -3, -10])
def test_a_body_that_ends_too_soon_is_refused(end: int) -> None:
    body = encode(FILE).removesuffix(b"\r\n")
    with pytest.raises((errors.MalformedUpload, errors.MissingFile)) as caught:
        read(body[:end])
    assert str(caught.value)
