"""A page on which a person makes ChatKitty fail, and sees what it was asked. Pure.

It has no script: each button sends a form.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from html import escape
from typing import Any, Final

from gateway.sandbox.faults import Rule

_SHOWN: Final = 30

_STYLE: Final = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
button { font: inherit; margin: 0 .5rem .5rem 0; padding: .4rem .8rem; }
td, th { text-align: left; padding: 0 1rem .2rem 0; overflow-wrap: anywhere; }
"""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
        f" style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_POSTS: Final = {"method": "POST", "path": "/v1/*"}
CHOICES: Final[Mapping[str, tuple[str, Sequence[Mapping[str, Any]]]]] = {
    "work": ("Work", ()),
    "refuse": ("Refuse uploads", [{**_POSTS, "times": None, "fault": {"status": 403}}]),
    "fail": ("Fail three times", [{**_POSTS, "times": 3, "fault": {"status": 503}}]),
    "slow": ("Take 20 seconds", [{**_POSTS, "times": None, "fault": {"delay": 20.0}}]),
    "cut": ("Act, and hang up once", [{**_POSTS, "times": 1, "fault": {"cut": "after"}}]),
}
"""Each button: its label, and the rules that it sets."""


def page(rules: Iterable[Rule], requests: Sequence[Mapping[str, Any]]) -> str:
    """The page, with the rules in force and the last requests, the newest first."""
    buttons = "\n".join(
        f'<button name="choice" value="{name}">{escape(label)}</button>'
        for name, (label, _) in CHOICES.items()
    )
    rows = "\n".join(_row(each) for each in reversed(requests[-_SHOWN:]))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>The sandbox: a stand-in for ChatKitty</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>The sandbox: a stand-in for ChatKitty</h1>
<p>The gateway registers and relays uploads here. Choose what happens to them from now on:</p>
<form method="post">
{buttons}
</form>
<h2>Now</h2>
<ul>
{_now(rules)}
</ul>
<h2>The last requests, the newest first</h2>
<p>Load the page again to see later ones.</p>
<table>
<tr><th scope="col">request</th><th scope="col">status</th><th scope="col">seconds</th></tr>
{rows}
</table>
</main>
</body>
</html>
"""


def _now(rules: Iterable[Rule]) -> str:
    lines = [_described(rule) for rule in rules if rule.times != 0]
    return "\n".join(f"<li>{escape(line)}</li>" for line in lines or ["Every request succeeds."])


def _described(rule: Rule) -> str:
    fault = json.dumps(rule.shown()["fault"])
    if rule.times is None:
        until = "until you choose something else"
    else:
        until = "once more" if rule.times == 1 else f"{rule.times} more times"
    return f"{rule.method} {rule.path}: {fault}, {until}"


def _row(request: Mapping[str, Any]) -> str:
    status = "none" if request["status"] is None else str(request["status"])
    cells = [f"{request['method']} {request['path']}", status, f"{request['seconds']:.3f}"]
    return "".join(["<tr>", *(f"<td>{escape(cell)}</td>" for cell in cells), "</tr>"])
