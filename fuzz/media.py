"""Runs the readers of media over bytes in memory, and counts requests as a sniff counts them."""

from workers.media import MOST_REQUESTS, REQUEST_BYTES, Medium, read_medium

HEAD_BYTES = 16_384


def told(data: bytes, known: int = HEAD_BYTES, requests: int = MOST_REQUESTS) -> Medium | None:
    """The reader's verdict on a file of which `known` bytes are read in advance."""
    pieces = [(0, data[:known])]
    steps = 0
    reading = read_medium(data[:known], len(data))
    try:
        span = next(reading)
        while True:
            steps += 1
            assert steps < 20_000
            assert span.start >= 0
            assert 0 <= span.length <= REQUEST_BYTES
            found = max(
                (part[span.start - at :] for at, part in pieces if at <= span.start),
                key=len,
                default=b"",
            )
            end = min(span.start + span.length, len(data))
            if span.start + len(found) < end and requests:
                requests -= 1
                found = data[span.start : span.start + REQUEST_BYTES]
                pieces.append((span.start, found))
            span = reading.send(found[: span.length])
    except StopIteration as answer:
        medium: Medium | None = answer.value
        return medium
