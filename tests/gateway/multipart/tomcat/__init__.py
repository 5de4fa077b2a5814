"""Tomcat's own reader of forms, which Spring has under it: in one JVM, asked line by line."""

import atexit
import base64
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from fuzz.oracles import Reading
from tests.programs import lack

PACKAGES: Final = ("default-jre-headless", "libtomcat10-embed-java")
"""Debian's, which `.ci/run` installs; the first starts a program from its source."""

_JAR: Final = Path("/usr/share/java/tomcat10-embed-core.jar")
_SOURCE: Final = Path(__file__).with_name("Reader.java")
_FLAGS: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "-Dfile.encoding=UTF-8")


class Tomcat:
    """The reader's process."""

    def __init__(self, java: str) -> None:
        command = [java, *_FLAGS, "-cp", str(_JAR), str(_SOURCE)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        atexit.register(self._end)

    def _end(self) -> None:
        with self._process:
            self._process.kill()

    def read(self, body: bytes, content_type: str, charset: str = "utf-8") -> Reading | None:
        """The parts of a form, or None where Tomcat refuses it.

        Spring Boot sets the charset of its headers; without one that of the Content-Type counts.
        """
        ours, theirs = self._process.stdin, self._process.stdout
        assert ours is not None
        assert theirs is not None
        asked = (charset.encode(), content_type.encode("latin-1"), body)
        ours.write(b" ".join(base64.b64encode(word) for word in asked) + b"\n")
        ours.flush()
        verdict, *words = theirs.readline().decode("ascii").rstrip("\n").split(" ")
        if verdict == "!":
            return None
        assert verdict == "+", words
        return [
            (_text(name), _text(filename), base64.b64decode(data))
            for name, filename, data in zip(words[::3], words[1::3], words[2::3], strict=True)
        ]


def _text(word: str) -> str | None:
    return None if word == "-" else base64.b64decode(word).decode()


@cache
def tomcat() -> Tomcat:
    """The reader of this process of tests; a test is skipped where there is none."""
    java = shutil.which("java")
    if java is None or not _JAR.exists():
        lack(f"Tomcat reads no forms here: apt-get install {' '.join(PACKAGES)}")
    return Tomcat(java)
