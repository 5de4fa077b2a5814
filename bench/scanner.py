"""The cost of finding parts, compared with one bare `bytes.find` and two libraries, in one run.

`python -m bench.scanner [--mib N]` prints CPU seconds per GiB, and the scanner's ratio to the bare
search. Ratios are the same on other machines, seconds are not.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Final

from multipart import MultipartError as PushError
from multipart import PushMultipartParser
from python_multipart.multipart import MultipartParser

from gateway.multipart import Declared, Limits, Scanner

BOUNDARY: Final = b"------------------------4672aa91bc03de5f"
DELIMITER: Final = b"\r\n--" + BOUNDARY
HEAD: Final = b'\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
OPENING: Final = DELIMITER[2:] + HEAD
CLOSING: Final = DELIMITER + b"--\r\n"
GIB: Final = 1 << 30
KIB: Final = 1 << 10
SIZES: Final = (64 * KIB, 16 * KIB)
FILE_MIB: Final = 16
ROUNDS: Final = 5
LIMITS: Final = Limits(max_parts=10_000)

Feed = Callable[[list[bytes]], None]


def bare_find(chunks: list[bytes]) -> None:
    for chunk in chunks:
        chunk.find(DELIMITER)


def ours(chunks: list[bytes]) -> None:
    scanner = Scanner(Declared((BOUNDARY,)), LIMITS)
    for chunk in chunks:
        scanner.receive_data(chunk)
    scanner.finish()


def python_multipart(chunks: list[bytes]) -> None:
    parser = MultipartParser(BOUNDARY, {"on_part_data": lambda _data, _start, _end: None})
    for chunk in chunks:
        parser.write(chunk)


def push_multipart(chunks: list[bytes]) -> None:
    parser = PushMultipartParser(BOUNDARY)
    for chunk in chunks:
        for _ in parser.parse(chunk):
            pass


CONTENDERS: Final[dict[str, Feed]] = {
    "find": bare_find,
    "ours": ours,
    "python-multipart": python_multipart,
    "multipart": push_multipart,
}


def patterns() -> Iterator[tuple[str, bytes]]:
    """One MiB of content by name; the hostile kinds resemble delimiters as closely as possible."""
    size = 1 << 20
    yield "random", os.urandom(size)
    for name, unit in {
        "CR": b"\r",
        "CR LF": b"\r\n",
        "CR LF - -": b"\r\n--",
        "delimiter less its last byte": DELIMITER[:-1],
        "hyphens": b"-",
        "CR and 40 letters": b"\r" + b"A" * 40,
        "boundary within a line": b"x" + DELIMITER[2:],
        "delimiter line that goes on": DELIMITER + b"x",
    }.items():
        yield name, (unit * (size // len(unit) + 1))[:size]


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[i : i + size] for i in range(0, len(content), size)]


def per_gib(feed: Feed, chunks: list[bytes], repeats: int) -> float:
    """CPU-seconds per GiB: the median of some rounds; nan if the parser refuses the content."""
    total = sum(map(len, chunks)) * repeats
    rounds = []
    for _ in range(ROUNDS):
        begin = time.process_time()
        for _ in range(repeats):
            feed(chunks)
        rounds.append((time.process_time() - begin) / total * GIB)
    return statistics.median(rounds)


def cost(feed: Feed, chunks: list[bytes], repeats: int) -> float:
    try:
        return per_gib(feed, chunks, repeats)
    except PushError:
        return float("nan")


def report(name: str, size: int, content: bytes, repeats: int) -> None:
    chunks = [OPENING, *cut(content, size) * FILE_MIB, CLOSING]
    costs = [cost(feed, chunks, repeats) for feed in CONTENDERS.values()]
    figures = "".join(f"{figure:18.3f}" for figure in costs)
    print(f"{name:30}{size:8}{figures}{costs[1] / costs[0]:12.2f}")


def report_fixed(name: str, body: bytes, count: int, repeats: int) -> None:
    """CPU microseconds for each of `count` things in the body, which is fed in pieces of 64 KiB."""
    chunks = cut(body, 64 * KIB)
    for contender, feed in CONTENDERS.items():
        seconds = per_gib(feed, chunks, repeats) / GIB * len(body)
        print(f"{name}, {contender}: {seconds / count * 1e6:.1f} us")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=64, help="MiB per round")
    repeats = max(1, parser.parse_args().mib // FILE_MIB)
    print(f"{'content':30}{'chunk':>8}{''.join(f'{n:>18}' for n in CONTENDERS)}{'ours/find':>12}")
    for name, content in patterns():
        for size in (*SIZES, 256 * KIB, 4 * KIB, 1460) if name == "random" else SIZES:
            report(name, size, content, repeats)
    part = OPENING + b"0123456789\r\n"
    report_fixed("one of 10,000 parts of 10 bytes", part * 10_000 + CLOSING[2:], 10_000, 1)
    report_fixed("a form of one part of 10 bytes", part + CLOSING[2:], 1, 1000)


if __name__ == "__main__":
    main()
