import pytest
from msgspec.structs import replace

from gateway.delivery.resumed_form import ResumedForm
from gateway.errors import MalformedUpload
from gateway.resumable.session import FormAround, Session, Tail
from tests.gateway.delivery.bodies import CONTENT_TYPE, Part, encode
from tests.gateway.resumable.test_session import SESSION

AROUND = FormAround(content_type=CONTENT_TYPE, max_file_size=1000)
BODY = encode(Part("groupTag", b"cats"), Part("file", b"abcdef", "a.png"), Part("properties", b"x"))
BEGIN = BODY.index(b"abcdef")
FORM = replace(SESSION, limit=2000, form=AROUND)


def reader_of(session: Session) -> ResumedForm:
    assert session.form is not None
    return ResumedForm(session, session.form)


def having(stored: int, around: FormAround) -> Session:
    return replace(FORM, tails=(Tail("tail", stored, 0),) if stored else (), form=around)


@pytest.mark.parametrize("size", [0, 1, BEGIN - 1, BEGIN])
def test_what_comes_before_the_file_is_kept_as_it_is(size: int) -> None:
    reader = reader_of(FORM)
    assert reader.receive_data(BODY[:size]) == []
    assert reader.around(0) == replace(AROUND, opening=BODY[:size])


@pytest.mark.parametrize("size", [BEGIN + 9, len(BODY)])
def test_what_comes_behind_the_file_is_kept_as_it_is(size: int) -> None:
    reader = reader_of(FORM)
    assert b"".join(reader.receive_data(BODY[:size])) == b"abcdef"
    rest = BODY[BEGIN + 6 : size]
    assert reader.around(6) == replace(AROUND, opening=BODY[:BEGIN], rest=rest)


def test_what_might_be_a_delimiter_is_kept_until_it_is_certain() -> None:
    first = reader_of(FORM)
    assert b"".join(first.receive_data(BODY[:BEGIN] + b"ab\r\n--")) == b"ab"
    around = first.around(2)
    assert around.rest == b"\r\n--"
    second = reader_of(having(2, around))
    assert b"".join(second.receive_data(b"c")) == b"\r\n--c"


def test_what_was_durable_stays_so_if_nothing_more_is() -> None:
    around = replace(AROUND, opening=BODY[:BEGIN], rest=b"\r\n--")
    session = having(2, around)
    assert reader_of(session).around(2) == around
    reader = reader_of(session)
    assert b"".join(reader.receive_data(b"cdef")) == b"\r\n--cdef"
    assert reader.around(2) == around
    assert reader.around(3).rest == b"\n--"
    assert reader.around(6).rest == b""


@pytest.mark.parametrize("durable", range(7))
def test_certain_bytes_that_the_store_did_not_keep_are_read_again(durable: int) -> None:
    data = b"\r\n---x:"  # the delimiter goes on with "1"
    form = replace(AROUND, content_type='multipart/form-data; boundary="-x:1"')
    begin = b'---x:1\r\nContent-Disposition: form-data; name="file"\r\n\r\n'
    first = reader_of(replace(FORM, form=form))
    assert list(first.receive_data(begin + data)) == []
    second = reader_of(having(0, first.around(0)))
    assert b"".join(second.receive_data(b"\r")) == data
    third = reader_of(having(durable, second.around(durable)))
    end = b"\r\n---x:1--\r\n"
    file = data[:durable] + b"".join([*third.receive_data(b""), *third.receive_data(end)])
    assert file == data
    assert third.finish().file.size == len(data)


def test_another_multipart_type_is_refused_before_anything_comes() -> None:
    around = replace(AROUND, content_type="multipart/mixed; boundary=a")
    with pytest.raises(MalformedUpload):
        reader_of(replace(FORM, form=around))
