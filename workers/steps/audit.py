"""`audit`: compares a relayed file with what ChatKitty reported about it.

How the upstream reads a body is what counts: if its answer differs from what passed through the
gateway, the upload is flagged.
"""

import time

from msgspec.structs import replace

from gateway.answer import Answer
from gateway.choices import Delivery, OnMismatch
from gateway.errors import UpstreamError
from gateway.metrics.catalogue import MISMATCHES, PHASE_SECONDS
from gateway.records.bucket import Entry
from gateway.telemetry import get_logger
from gateway.uploads.excerpt import Piece
from gateway.uploads.mismatch import Mismatch, MismatchKind, Reported, Seen, compare
from gateway.uploads.policy import Rejected, judge
from gateway.uploads.record import Fault, State, Upload
from gateway.upstream.endpoints import EndpointKind, generation_of, recognise
from gateway.upstream.paths import api_path
from workers.runtime import WorkerServices
from workers.steps.ending import end
from workers.steps.opening import open_upload

log = get_logger(__name__)

_TELLING = frozenset({EndpointKind.CHANNEL_MESSAGE, EndpointKind.THREAD_MESSAGE})
_UNCERTAIN = Mismatch(
    MismatchKind.FORM,
    "the form can be read in more than one way, and ChatKitty's answer does not say which file"
    " it accepted",
)


async def audit(upload_id: str, services: WorkerServices) -> None:
    """Audit a relayed upload."""
    entry = await open_upload(upload_id, services)
    if entry is not None and entry.upload.state is State.RELAYED:
        await audit_entry(entry, services)


async def audit_entry(entry: Entry, services: WorkerServices) -> None:
    """Audit a relayed upload, given its record."""
    started = time.monotonic()
    upload, mismatches = await examine(entry.upload, services)
    PHASE_SECONDS.of(Delivery.RELAY, "audit").observe(time.monotonic() - started)
    reasons = [mismatch.detail for mismatch in mismatches]
    state = State.FLAGGED if reasons else State.AUDITED
    fault = Fault("mismatch", "; ".join(reasons)) if reasons else None
    if fault is not None:
        kinds = {mismatch.kind for mismatch in mismatches}
        for kind in kinds:
            MISMATCHES.add(kind)
        log.warning("upload.flagged", reasons=reasons)
        # Servers read names in many ways: a different name is no reason to delete a message.
        if upload.terms.on_mismatch is OnMismatch.DELETE and kinds != {MismatchKind.NAME}:
            await _delete_message(upload, services)
    await end(services.backends, entry, upload, state, fault)


async def examine(upload: Upload, services: WorkerServices) -> tuple[Upload, list[Mismatch]]:
    """Identify an upload's files; returns its record without their bytes, and the mismatches."""
    sniffed = [
        await services.sniffer.sniff_pieces(file.size, (Piece(0, file.head), *file.pieces))
        for file in upload.files
    ]
    files = tuple(
        replace(file, content_type=found.content_type, head=b"", pieces=(), disposition=b"")
        for file, found in zip(upload.files, sniffed, strict=True)
    )
    verdicts = [judge(upload.terms, found, None) for found in sniffed]
    refused = [
        Mismatch(MismatchKind.POLICY, verdict.detail)
        for verdict in verdicts
        if isinstance(verdict, Rejected)
    ]
    seen = [
        Seen(found, file.size, file.original_name, file.disposition)
        for file, found in zip(upload.files, sniffed, strict=True)
    ]
    return replace(upload, files=files), [*refused, *_differences(upload, seen, services)]


def _differences(upload: Upload, seen: list[Seen], services: WorkerServices) -> list[Mismatch]:
    """The mismatches between ChatKitty's answer and the files that the gateway saw."""
    target = api_path(upload.target.path, str(services.backends.settings.upstream_url))
    endpoint = recognise(target)
    if endpoint is None:
        return []
    if endpoint.kind not in _TELLING:
        return _unproven(upload, seen)
    reported = reported_in(upload.result)
    if reported is None:
        return _unreported(upload, seen)
    if not seen:
        return [_miscounted("ChatKitty accepted a file that the gateway did not see")]
    if upload.doubted and reported.size is None:
        return [_UNCERTAIN]
    # Of several files, ChatKitty's answer may name any.
    best = min((compare(one, reported) for one in seen), key=len)
    return list(best)


def _unreported(upload: Upload, seen: list[Seen]) -> list[Mismatch]:
    """The mismatches if the answer names no file: it must then be a text message."""
    if seen:
        return [_miscounted("files were relayed, but ChatKitty's answer names none")]
    if upload.result is None or upload.result.json_object() is None:
        return [
            _miscounted(
                "the gateway saw no file, and ChatKitty's answer does not say whether it accepted"
                " one"
            )
        ]
    return []


def _unproven(upload: Upload, seen: list[Seen]) -> list[Mismatch]:
    """The mismatches at an endpoint that always needs a file, and never reports it."""
    if not seen:
        return [_miscounted("ChatKitty accepted a form in which the gateway saw no file")]
    return [_UNCERTAIN] if upload.doubted else []


def _miscounted(detail: str) -> Mismatch:
    return Mismatch(MismatchKind.COUNT, detail)


def reported_in(answer: Answer | None) -> Reported | None:
    """What ChatKitty's answer says about the file, in the spelling of either API version."""
    document = answer.json_object() if answer is not None else None
    file = document.get("file") if document is not None else None
    if not isinstance(file, dict):
        return None
    content_type = file.get("contentType", file.get("content_type"))
    size, name = file.get("size"), file.get("name")
    return Reported(
        content_type=content_type if isinstance(content_type, str) else None,
        size=size if isinstance(size, int) else None,
        name=name if isinstance(name, str) else None,
    )


async def _delete_message(upload: Upload, services: WorkerServices) -> None:
    """Delete the message that has the file; a failure is logged, and the flag stays."""
    backends = services.backends
    document = upload.result.json_object() if upload.result is not None else None
    message_id = document.get("id") if document is not None else None
    if backends.own_token is None or not isinstance(message_id, int):
        log.warning("audit.not_deleted", reason="no message or no credentials")
        return
    path = api_path(upload.target.path, str(backends.settings.upstream_url))
    try:
        await backends.chatkitty.delete_message(generation_of(path), message_id, backends.own_token)
    except UpstreamError as error:
        log.warning("audit.not_deleted", reason=str(error))
