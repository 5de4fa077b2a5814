"""The command line: arguments only."""

import asyncio
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from gateway import settings as configuration
from gateway.errors import ConfigurationError
from gateway.telemetry import configure_logs, get_logger


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chatkitty-gateway")
def main() -> None:
    """An upload gateway for the ChatKitty chat API."""


@main.command()
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 256))
def serve(processes: int) -> None:
    """Serve clients; every setting is a GATEWAY_* variable."""
    from gateway.server import run

    settings = _load_settings()
    if processes > 1:
        sys.exit(run.serve_processes(processes))
    try:
        run.serve(settings)
    except ConfigurationError as error:
        _refuse(error)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=9001, show_default=True, help="0: any free one")
@click.option("--data-dir", default=Path("var/sandbox"), type=click.Path(path_type=Path))
@click.option("--token", "tokens", multiple=True, metavar="TOKEN=SUBJECT", help="always accepted")
@click.option("--client", "clients", multiple=True, metavar="ID:SECRET", help="default: any")
def sandbox(
    host: str, port: int, data_dir: Path, tokens: tuple[str, ...], clients: tuple[str, ...]
) -> None:
    """Serve a stand-in for ChatKitty, for development and tests."""
    from gateway.sandbox import run

    run.serve(
        host,
        port,
        data_dir,
        tokens=dict(_pair(token, "=") for token in tokens),
        clients=dict(_pair(client, ":") for client in clients),
        ready=lambda url: click.echo(f"READY {url}"),
    )


@main.command()
@click.option(
    "--port", default=8080, show_default=True, envvar="GATEWAY_PORT", help="0: any free one"
)
@click.option("--data-dir", default=Path("var/up"), type=click.Path(path_type=Path))
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 256))
@click.option("--no-sample", is_flag=True, help="upload no sample files")
@click.option("--no-restart", is_flag=True, help="stop everything when a part dies")
@click.option("--json", "as_json", is_flag=True, help="print one JSON object when all is ready")
def up(
    port: int,
    data_dir: Path,
    processes: int,
    no_sample: bool,
    no_restart: bool,
    as_json: bool,
) -> None:
    """Start everything that the gateway needs, and the gateway, on this machine."""
    from gateway.stack import up as stack

    options = stack.UpOptions(
        port=port,
        data_dir=data_dir.absolute(),
        processes=processes,
        sample=not (no_sample or as_json),
        restart=not no_restart,
        as_json=as_json,
    )
    sys.exit(stack.up(options))


@main.command()
def doctor() -> None:
    """Check the settings and every part that the gateway depends on."""
    from gateway.doctor import examine

    sys.exit(asyncio.run(examine(_load_settings(), click.echo)))


def _load_settings() -> configuration.Settings:
    try:
        settings = configuration.load()
    except ConfigurationError as error:
        _refuse(error)
    configure_logs(settings.log_level)
    for name in configuration.unknown_names(os.environ):
        get_logger(__name__).warning("settings.unknown", name=name)
    return settings


def _refuse(error: ConfigurationError) -> NoReturn:
    for line in str(error).splitlines():
        click.echo(f"error: {line}", err=True)
    sys.exit(2)


def _pair(text: str, separator: str) -> tuple[str, str]:
    left, found, right = text.partition(separator)
    if not (left and found and right):
        raise click.BadParameter(f"{text!r} has no {separator!r} in it")
    return left, right


if __name__ == "__main__":
    main()
