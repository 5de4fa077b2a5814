"""`config check`: the settings as they would be in force, or what is wrong with them."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.doctor.settings import check_settings
from gateway.errors import ConfigurationError
from gateway.settings import shown
from gateway.settings.sources import read, unknown_names
from gateway.terminal import Console

_USABLE, _FAULTY = 0, 2
"""The exit statuses; `serve` and `doctor` also end with 2 for settings that they cannot use."""

_NOTHING: Final[Sequence[shown.Shown]] = ()


def check(environ: Mapping[str, str], console: Console) -> int:
    """Print every setting with its source, or one line for each fault. Returns the exit status.

    It connects to nothing.
    """
    try:
        given = read(environ)
        settings = given.validated()
        advice = check_settings(settings, unknown_names(environ))
    except ConfigurationError as error:
        return _report(console, _NOTHING, faults=str(error).splitlines())
    return _report(console, [*shown.in_force(settings, given, environ)], advice=advice)


def _report(
    console: Console,
    settings: Sequence[shown.Shown],
    *,
    faults: Sequence[str] = (),
    advice: Sequence[str] = (),
) -> int:
    if console.as_json:
        document = {
            "ok": not faults,
            "faults": [*faults],
            "advice": [*advice],
            "settings": [each.members() for each in settings],
        }
        console.out(json.dumps(document))
    else:
        for line in shown.lines(settings):
            console.out(line)
        for fault in faults:
            console.err(f"error: {fault}")
        for line in advice:
            console.err(f"advice: {line}")
    return _FAULTY if faults else _USABLE
