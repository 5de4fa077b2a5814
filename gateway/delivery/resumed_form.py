"""A form that comes in several requests, each of which may be cut anywhere. Pure.

Each request has a reader of its own, to which the session gives what it needs of earlier ones: the
form up to the file, how many bytes of the file came, and what came behind those. So the state of a
reader is kept nowhere, and the form is read as if it had come in one request.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from gateway.delivery.form import Form, FormReader
from gateway.multipart import Scanner, declared_boundaries
from gateway.resumable.session import FormAround, Session


class ResumedForm:
    """Reads what one request brings of a session's form, and returns the bytes of its file."""

    def __init__(self, session: Session, form: FormAround) -> None:
        """Continue after what the session has. Raises the errors of a refused Content-Type."""
        self._kept = form
        self._stored = session.stored
        self._reader = FormReader(
            Scanner(declared_boundaries(form.content_type)),
            max_file_size=form.max_file_size,
            max_form_size=session.limit - form.max_file_size,
            sha256=False,
        )
        self._opening = bytearray()
        self._rest = bytearray()
        self._behind = session.stored
        """Bytes that arrived after the opening."""
        self._unread = b""
        self.receive_data(form.opening)
        if session.stored:
            self._reader.skip(session.stored)
        self._unread = form.rest
        self._rest += form.rest

    def receive_data(self, chunk: bytes) -> Sequence[bytes]:
        """The file's bytes that are certain now. Raises the errors of a refused form.

        The first call may return bytes that an earlier request brought: it was certain of them, but
        the store did not keep them. So each request calls this at least once, if only with nothing.
        """
        chunk, self._unread = self._unread + chunk, b""
        is_opening = self._reader.file_begin is None
        pieces = list(self._reader.receive_data(chunk))
        if is_opening:
            begin = self._reader.file_begin
            self._opening += chunk[:begin]
            chunk = b"" if begin is None else chunk[begin:]
        self._behind += len(chunk)
        uncertain = self._behind - self._reader.size
        if uncertain <= len(chunk):
            self._rest = bytearray(chunk[len(chunk) - uncertain :])
        else:
            self._rest += chunk
            del self._rest[: len(self._rest) - uncertain]
        return pieces

    def around(self, stored: int) -> FormAround:
        """What the session keeps of the form, if `stored` bytes of its file are durable.

        They are never fewer than before, so every offset that a client has got stays true.
        """
        earlier = self._kept.rest[stored - self._stored :]
        rest = bytes(self._rest) if stored == self._reader.size else earlier
        return replace(self._kept, opening=bytes(self._opening), rest=rest)

    def finish(self) -> Form:
        """The form, at its end. Raises the errors of a refused form."""
        return self._reader.finish()
