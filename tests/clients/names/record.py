"""Records how real clients write file names: `python -m tests.clients.names.record [CLIENT...]`.

Each client sends one file under each name to a server that keeps the bytes, and the bodies are
written to tests/captures/names. What a client needs is not installed by this script:

    apt-get install curl wget2 php-cli php-curl php-guzzlehttp-guzzle ruby ruby-rest-client \\
        ruby-httparty ruby-faraday ruby-http libwww-perl libmojolicious-perl golang-go \\
        default-jdk-headless libokhttp-java libhttpclient-java libhttpmime-java \\
        libspring-web-java libcommons-httpclient-java gir1.2-soup-3.0 python3-gi
    uv venv $NAMES/py && uv pip install --python $NAMES/py/bin/python requests httpx aiohttp \\
        urllib3 requests-toolbelt pycurl httpie niquests treq curl_cffi primp werkzeug django
    uv venv $NAMES/old
    uv pip install --python $NAMES/old/bin/python 'urllib3<1.25' 'requests<2.22'
    cd $NAMES/npm && npm install axios form-data undici got node-fetch superagent needle request \\
        postman-request unirest ky formdata-node form-data-encoder jsdom urllib

`NAMES` is the folder that the others are in. A client that fails at a name, or is not there, is
reported and left out.
"""

import asyncio
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from fuzz.feeding import dechunked
from tests.captures.names import CAPTURES, NAMES
from tests.captures.recorder import Recorder, recording
from tests.clients.drivers import ENVIRONMENT
from tests.clients.samples import png

HERE: Final = Path(__file__).parent
TOOLS: Final = Path(os.environ.get("NAMES", "/tmp/names"))
PATIENCE: Final = 60.0
_BOUNDARY: Final = re.compile(rb"\r\ncontent-type: ([^\r\n]+)\r\n", re.IGNORECASE)
_JARS: Final = ":".join(
    f"/usr/share/java/{name}.jar"
    for name in (
        *("okhttp", "okio", "httpclient", "httpcore", "httpmime", "commons-httpclient"),
        *("commons-logging", "commons-codec", "spring3-web", "spring3-core", "spring3-beans"),
    )
)
_CURL: Final = 'curl -sS -H "Authorization: Bearer TOKEN" --form'


def commands() -> dict[str, list[str]]:
    """The command of each client, but for its last words: URL, folder and names."""
    python = [str(TOOLS / "py/bin/python"), str(HERE / "python_clients.py")]
    old = [str(TOOLS / "old/bin/python"), *python[1:]]
    node = ["node", str(HERE / "node_clients.mjs")]
    java = ["java", "-cp", _JARS, str(HERE / "Clients.java")]
    shell = ["sh", "-c"]
    each = "url=$1 folder=$2; shift 2; for name; do {}; done"
    httpie = str(TOOLS / "py/bin/http")
    found = {
        "requests-2.21": [*old, "requests"],
        "go": ["go", "run", str(HERE / "go_client.go")],
        "libsoup3": ["/usr/bin/python3", str(HERE / "soup_client.py")],
        "httpie": [
            *shell,
            each.format(
                f'{httpie} --ignore-stdin -q --form POST "$url" "Authorization:Bearer TOKEN"'
                ' file@"$folder/$name"'
            ),
            "sh",
        ],
        "curl-escaped": [
            *shell,
            each.format(
                'escaped=$(printf %s "$name" | sed \'s/[\\\\"]/\\\\&/g\');'
                f' {_CURL}-escape --form "file=@\\"$folder/$escaped\\";type=image/png" "$url"'
            ),
            "sh",
        ],
        "curl": [
            *shell,
            each.format(
                'escaped=$(printf %s "$name" | sed \'s/[\\\\"]/\\\\&/g\');'
                f' {_CURL} "file=@\\"$folder/$escaped\\";type=image/png" "$url"'
            ),
            "sh",
        ],
    }
    for client in (
        *("requests", "niquests", "requests-toolbelt", "urllib3", "httpx", "aiohttp", "pycurl"),
        *("aiohttp-unquoted", "curl_cffi", "primp", "treq", "werkzeug", "django"),
    ):
        found[client] = [*python, client]
    for client in (
        *("fetch", "axios", "axios-form-data", "form-data", "undici", "got", "ky", "node-fetch"),
        *("superagent", "needle", "request", "postman-request", "unirest", "formdata-node"),
        *("jsdom", "urllib", "react-native-0.77", "react-native-0.74"),
    ):
        found[f"node-{client}" if client in {"fetch", "urllib"} else client] = [*node, client]
    for client in ("net/http", "rest-client", "httparty", "faraday", "http"):
        command = ["ruby", str(HERE / "ruby_clients.rb"), client]
        found[f"ruby-{client.replace('/', '-')}"] = command
    for client in ("lwp", "mojo"):
        found[f"perl-{client}"] = ["perl", str(HERE / "perl_clients.pl"), client]
    for client in ("curl", "guzzle"):
        found[f"php-{client}"] = ["php", str(HERE / "php_clients.php"), client]
    for client in (
        *("okhttp", "httpclient", "httpclient-rfc6532", "httpclient-browser", "httpclient3"),
        *("spring", "spring-charset"),
    ):
        found[f"java-{client}"] = [*java, client]
    return found


async def record(client: str, command: list[str], recorder: Recorder, folder: Path) -> None:
    """Have the client send each name, and keep what it sent."""
    url = f"{recorder.url}/v1/channels/702/messages"
    bodies = []
    for name in NAMES:
        recorder.requests.clear()
        error = await _run([*command, url, str(folder), name])
        if recorder.requests:
            bodies.append({"name": name, **_described(recorder.requests[-1])})
        else:
            sys.stderr.write(f"{client}: {name!r} was not sent: {error[-300:]}\n")
    if bodies:
        text = json.dumps({"client": client, "bodies": bodies}, ensure_ascii=True, indent=1)
        (CAPTURES / f"{client}.json").write_text(text + "\n")


async def _run(command: list[str]) -> str:
    environment = ENVIRONMENT | {"LC_ALL": "C.UTF-8", "GO111MODULE": "off"}
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=TOOLS / "npm",
            env=environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(PATIENCE):
            _, stderr = await process.communicate()
    except (OSError, TimeoutError) as error:
        return repr(error)
    return stderr.decode(errors="replace")


def _described(request: bytes) -> dict[str, str]:
    """The request's Content-Type and body; a byte is the character of that number."""
    head, _, body = request.partition(b"\r\n\r\n")
    found = _BOUNDARY.search(head + b"\r\n")
    if re.search(rb"\r\ntransfer-encoding: chunked", head, re.IGNORECASE):
        body = dechunked(body)
    content_type = found[1].decode("latin-1") if found else ""
    return {"content_type": content_type, "body": body.decode("latin-1")}


async def main(wanted: list[str]) -> None:
    """Record the clients that are asked for, or all."""
    with tempfile.TemporaryDirectory() as folder:
        for name in NAMES:
            (Path(folder) / name).write_bytes(png())
        async with recording() as recorder:
            for client, command in commands().items():
                if not wanted or client in wanted:
                    await record(client, command, recorder, Path(folder))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
