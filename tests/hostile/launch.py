"""The gateway's command line, by aiohttp's pure-Python HTTP parser where `PURE_PARSER` is set.

`serve` itself refuses to start by that parser. Here it shows that nothing depends on which it is.
"""

import os
import sys

from aiohttp import http_parser

from gateway.cli import main as command_line
from gateway.server import run

PURE_PARSER = "PURE_PARSER"
WITHOUT_EXTENSIONS = "AIOHTTP_NO_EXTENSIONS"
"""What aiohttp reads as it is imported: by then it has to be set, and later not any more."""


def main() -> None:
    """See that the process is of the kind that is asked for, then be the gateway."""
    pure = bool(os.environ.get(PURE_PARSER))
    if (http_parser.HttpRequestParser is http_parser.HttpRequestParserPy) is not pure:
        sys.exit("aiohttp has the other parser")
    if bool(os.environ.get("PYTHONOPTIMIZE")) is __debug__:
        sys.exit("assertions are not as they were asked for")
    if pure:
        run.check_parser = lambda: None
    command_line()
