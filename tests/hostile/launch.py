"""The gateway's command line, by aiohttp's pure-Python HTTP parser where `PURE_PARSER` is set.

`serve` itself refuses to start by that parser. Here it shows that nothing depends on which it is.
"""

import os
import sys

PURE_PARSER = "PURE_PARSER"


def main() -> None:
    """Import aiohttp by the parser that is asked for, then be the gateway."""
    pure = bool(os.environ.get(PURE_PARSER))
    if pure:
        os.environ["AIOHTTP_NO_EXTENSIONS"] = "1"
    from aiohttp import http_parser  # noqa: PLC0415 - it reads the environment once

    os.environ.pop("AIOHTTP_NO_EXTENSIONS", None)
    if (http_parser.HttpRequestParser is http_parser.HttpRequestParserPy) is not pure:
        sys.exit("aiohttp has the other parser")
    if bool(os.environ.get("PYTHONOPTIMIZE")) is __debug__:
        sys.exit("assertions are not as they were asked for")
    from gateway.cli import main as command_line  # noqa: PLC0415 - it imports aiohttp

    command_line()


if __name__ == "__main__":
    main()
