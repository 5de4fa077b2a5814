"""The message about a wrong setting says where it is and what is allowed, in our own words."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.errors import ConfigurationError
from gateway.settings import RouteSettings, Settings, load, unknown_names
from gateway.settings.faults import Written, described, line_of

KEY: Final = Fernet.generate_key().decode()
NASTY: Final[list[Any]] = [
    *(
        "",
        " ",
        "zz",
        "-1",
        "1.5",
        "9" * 5000,
        "nan",
        "inf",
        "1e999",
        "\x00",
        "é",
        "http://",
        "http:",
    ),
    *("http://h:99999", "ftp://h", "http://u:p@h/", "http://h/?q", "http://h/#f", "x" * 70_000),
    *(-1, 1.5, 10**30, float("nan"), float("inf"), True, None, [], [1], [[]], {}, {"a": 1}, [{}]),
    *({"a": "loud"}, {"a b": "info"}, [{"path": 1}], [{"path": "x"}], [{"path": "/", "scopes": 1}]),
]
# What an operator can do nothing with.
PYDANTIC: Final = re.compile(r"(?i)input should|valid |Extra inputs|Field required|String should")

FAULTS: Final = [
    ("port = 0", "line 2: port: must be at least 1"),
    ('drain_delay = "soon"', "line 2: drain_delay: must be a number"),
    ("\n\ndelivry = 'relay'", "line 4: unknown setting `delivry`; did you mean `delivery`?"),
    ("[gateway]\nport = 1", "line 2: unknown table [gateway]: settings belong at the top"),
    ('[[route]]\npath = "/"', "line 2: unknown setting `route`; did you mean `routes`?"),
    ('[[routes]]\npath = "/"\n[[routes]]\npath = "x"', "line 5: routes.1.path: must be a path"),
    ('[[routes]]\npath = "/"\ndelivry = "x"', "line 4: unknown setting `delivry`; did you mean"),
    ('[[routes]]\ndelivery = "relay"', "line 2: routes.0.path: must be set"),
    (
        '[routes]\npath = "/"',
        "line 2: routes: must be tables that each begin with [[routes]]",
    ),
    ('max_file_size = "big"', "max_file_size: must be a number of bytes, or one with a unit such"),
    ('log_level = "loud"', "must be 'debug', 'info', 'warning' or 'error'"),
    ('delivery = "post"', "delivery: must be 'relay' or 'external'"),
    ('auth = ["jwt"]', "GATEWAY_AUTH names `jwt`: set GATEWAY_AUTH_JWKS_URL"),
    ('public_url = "https://u:p@h/"', "public_url: must be a URL without user and password"),
    ('public_url = "https://h/?x=1"', "public_url: must be a URL without a query"),
    (
        'upstream_url = "chatkitty"',
        "upstream_url: must be a URL that begins with http:// or https://",
    ),
    ('redis_url = "redis://:p/w@cache/0"', "redis_url: "),
]


@pytest.mark.parametrize(("text", "line"), FAULTS)
def test_a_fault_in_the_file_names_its_line(tmp_path: Path, text: str, line: str) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f'secret_key = "{KEY}"\n{text}\n')
    with pytest.raises(ConfigurationError) as caught:
        load({"GATEWAY_CONFIG": str(file)})
    assert line in str(caught.value)
    if line.startswith("line"):
        assert str(caught.value).startswith(f"{file}, line ")


def test_a_fault_names_the_variable_even_if_the_file_has_the_setting_too(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("port = 80\n")
    port = tmp_path / "port"
    port.write_text("http")
    for variables, named in (
        ({"GATEWAY_PORT": "http"}, "GATEWAY_PORT: must be a whole number"),
        ({"GATEWAY_PORT_FILE": str(port)}, "GATEWAY_PORT_FILE: must be a whole number"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            load({"GATEWAY_SECRET_KEY": KEY, "GATEWAY_CONFIG": str(file), **variables})
        assert str(caught.value) == named


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_fault_of_each_setting_has_words_of_our_own(name: str) -> None:
    for value in NASTY:
        try:
            Settings.model_validate({"secret_key": KEY, name: value})
        except ValidationError as error:
            for fault in error.errors():
                line = described(fault, Written({}), RouteSettings.model_fields)
                assert not PYDANTIC.search(line), (value, fault)
                assert "\n" not in line


def test_a_log_level_may_be_in_capitals() -> None:
    assert load({"GATEWAY_SECRET_KEY": KEY, "GATEWAY_LOG_LEVEL": "INFO"}).log_level == "info"


def test_a_misspelt_variable_is_reported_with_the_likely_name() -> None:
    found = unknown_names({"GATEWAY_DELIVRY": "relay", "GATEWAY_SERVICE_HOST": "10.0.0.1"})
    assert found == {
        "GATEWAY_DELIVRY": "; did you mean `GATEWAY_DELIVERY`?",
        "GATEWAY_SERVICE_HOST": "",
    }


def test_each_unread_variable_is_reported() -> None:
    """Of all names that are like those of settings, those that change what is read are known."""
    names = {f"GATEWAY_{name.upper()}" for name in (*Settings.model_fields, "config")}
    names |= {f"{name}_FILE" for name in names}

    class Looked(dict[str, str]):
        """An environment without variables, which remembers those that were looked for."""

        def __init__(self) -> None:
            self.names: set[str] = set()

        def get(self, name: str, default: Any = None) -> Any:
            self.names.add(name)
            return default

    environ = Looked()
    with pytest.raises(ConfigurationError, match="GATEWAY_SECRET_KEY: must be set"):
        load(environ)
    told = unknown_names(dict.fromkeys(names, "x"))
    assert told.keys() == names - environ.names
    assert "the file that GATEWAY_CONFIG names" in told["GATEWAY_ROUTES"]


@given(st.text(), st.integers(min_value=0, max_value=9))
def test_any_text_has_lines(text: str, index: int) -> None:
    line = line_of(text, ("routes", index, "path"))
    assert line is None or 1 <= line <= len(text.splitlines())


@given(st.lists(st.sampled_from(sorted(Settings.model_fields)), unique=True, min_size=1))
def test_the_line_of_a_setting_is_that_on_which_it_is_written(names: list[str]) -> None:
    text = "\n".join(f"{name} = {json.dumps(name)}" for name in names)
    for number, name in enumerate(names, start=1):
        assert line_of(text, (name,)) == number


@pytest.mark.parametrize("program", ["worker", "beat"])
def test_a_worker_reports_each_fault_in_one_line(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "workers", program],
        env={"PATH": os.environ["PATH"], "GATEWAY_PORT": "http"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode != 0
    assert ended.stdout + ended.stderr == (
        "error: GATEWAY_PORT: must be a whole number\nerror: GATEWAY_SECRET_KEY: must be set\n"
    )
