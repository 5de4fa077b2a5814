"""The command line: arguments only."""

import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from gateway.doctor.parts import Part
from gateway.errors import ConfigurationError
from gateway.terminal import Console, guarded_output, painted, use_colours
from gateway.uploads.record import State

if TYPE_CHECKING:
    from gateway.admin.bucket import Session
    from gateway.settings import Settings


class _Listed(click.ParamType[str]):
    """Text values; an environment variable holds several, separated by commas."""

    name = "text"
    envvar_list_splitter = ","


_STATES: Final = (*(state.value for state in State), "dead")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}


_processes = click.option(
    "--processes",
    default=1,
    show_default=True,
    type=click.IntRange(1, 256),
    help="gateways that share the port",
)
_json_object = click.option("--json", "as_json", is_flag=True, help="print one JSON object")
_json_lines = click.option("--json", "as_json", is_flag=True, help="print one JSON object a line")


class _Commands(click.Group):
    """The commands, which end alike if their output cannot be written."""

    def main(self, *args: Any, **extra: Any) -> Any:  # noqa: ANN401 - as click has it
        with guarded_output():
            return super().main(*args, **extra)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="chatkitty-gateway")
@click.pass_context
def main(context: click.Context) -> None:
    """An upload gateway for the ChatKitty chat API.

    Clients send it the uploads that they would send to ChatKitty. It checks them, then passes them
    on, or keeps the files in a bucket of yours and gives ChatKitty their URLs.

    \b
    Try it, without any settings:  chatkitty-gateway up
    Run it, with your settings:    chatkitty-gateway config check
                                   chatkitty-gateway doctor
                                   chatkitty-gateway serve
                                   celery -A workers worker
                                   celery -A workers beat

    Settings are environment variables (GATEWAY_...), or the TOML file that GATEWAY_CONFIG names.
    Each command's own help says more: chatkitty-gateway COMMAND --help.

    The exit status is 0 if everything was done, 1 if something was not, 2 if settings or arguments
    cannot be used, and 141 if nobody reads the output any more.
    """  # noqa: D301 - click wants the character
    use_colours(context)


@main.command()
@_processes
def serve(processes: int) -> None:
    """Run the gateway with your settings.

    It listens for clients on GATEWAY_PORT and for operators on GATEWAY_ADMIN_PORT, and logs JSON to
    standard output. SIGTERM makes it finish what it has begun, and end. Uploads also need workers:
    `celery -A workers worker`.
    """
    settings = _load_settings()
    if processes > 1:
        from gateway.server.supervisor import serve_processes

        sys.exit(serve_processes(processes))
    from gateway.server import run

    try:
        run.serve(settings)
    except ConfigurationError as error:
        _refuse(error)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="address to listen on")
@click.option("--port", default=9001, show_default=True, help="0: any free one")
@click.option(
    "--data-dir",
    default=Path("var/sandbox"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="where it keeps its messages and files",
)
@click.option(
    "--token",
    "tokens",
    multiple=True,
    type=_Listed(),
    metavar="TOKEN=SUBJECT",
    envvar="SANDBOX_TOKENS",
    show_envvar=True,
    help="always accepted; prefer the variable: other users of the machine can read arguments",
)
@click.option(
    "--client",
    "clients",
    multiple=True,
    type=_Listed(),
    metavar="ID:SECRET",
    envvar="SANDBOX_CLIENTS",
    show_envvar=True,
    help="client credentials that it accepts; default: any",
)
@click.option(
    "--stranger",
    "strangers",
    multiple=True,
    type=_Listed(),
    metavar="TOKEN=ID",
    envvar="SANDBOX_STRANGERS",
    show_envvar=True,
    help="a token of another application, which is empty",
)
@_json_object
def sandbox(  # noqa: PLR0913, PLR0917 - click passes options by name
    host: str,
    port: int,
    data_dir: Path,
    tokens: tuple[str, ...],
    clients: tuple[str, ...],
    strangers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Serve a stand-in for ChatKitty.

    It is for development and tests. It keeps messages and files, and fails on demand.
    """
    try:
        from gateway.sandbox import run
        from gateway.sandbox.tokens import Accounts
    except ModuleNotFoundError as error:
        if error.name != "python_multipart":
            raise
        extra = "pip install 'chatkitty-gateway[embedded]'"
        _refuse(ConfigurationError(f"the sandbox needs the extra `embedded`: {extra}"))

    accounts = Accounts(
        always=dict(_pair(token, "=") for token in tokens),
        clients=dict(_pair(client, ":") for client in clients),
        strangers={token: _number(id_) for token, id_ in (_pair(s, "=") for s in strangers)},
    )

    def ready(url: str) -> None:
        click.echo(json.dumps({"sandbox": url}) if as_json else f"READY {url}")

    run.serve(host, port, data_dir, accounts, ready=ready)


@main.command()
@click.option(
    "--port", default=8080, show_default=True, envvar="GATEWAY_PORT", help="0: any free one"
)
@click.option(
    "--data-dir",
    default=Path("var/up"),
    show_default=True,
    type=click.Path(path_type=Path),
    help="where all parts keep their data, their secrets and their logs",
)
@_processes
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
    """Start a gateway and all that it needs, here.

    These are Valkey, SeaweedFS, a stand-in for ChatKitty, a worker and a beat. It needs no settings
    and no root; GATEWAY_* variables that are set win. When everything is ready, it prints the
    address of a page to try uploads with, `READY URL`, and examples to copy. Ctrl-C stops
    everything; the next start finds the same data.
    """
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
@click.option(
    "--only",
    "parts",
    multiple=True,
    type=click.Choice(Part, case_sensitive=False),
    help="check only this part; can be repeated (`settings` needs no network)",
)
@_json_object
def doctor(parts: tuple[Part, ...], as_json: bool) -> None:
    """Check that every part works with your settings.

    It uses the store, Redis, the broker, ChatKitty and the identity provider as gateways and
    workers do, and says for each in one line what is wrong and what to do.

    The exit status is 0 if nothing is wrong, 1 if a part is at fault, and 2 if the settings or
    arguments cannot be used.
    """
    from gateway import settings as configuration
    from gateway.doctor.examination import examine, refused
    from gateway.telemetry import discard_logs

    discard_logs()
    say = click.echo if as_json else _say_of_parts
    unknown = configuration.unknown_names(os.environ)
    try:
        settings = configuration.load()
        status = asyncio.run(examine(settings, say, unknown=unknown, only=parts, as_json=as_json))
    except ConfigurationError as error:
        if as_json:
            sys.exit(refused(error, click.echo))
        _refuse(error)
    sys.exit(status)


def _say_of_parts(line: str) -> None:
    part, _, said = line.partition(": ")
    if part in set(Part):
        sound = said == "ok" or said.startswith("ok, ")
        click.echo(f"{part}: {click.style(said, fg='green' if sound else 'red')}")
    else:
        click.echo(painted(line))


@main.group()
def config() -> None:
    """Show and check the settings, without a network."""


@config.command("check")
@_json_object
def check_config(*, as_json: bool) -> None:
    """Print every setting as it would be in force, and where it comes from.

    That is the default, a variable, or a file and its line. Secrets are hidden. If the settings
    cannot be used, each fault is printed in one line instead, and the exit status is 2. It connects
    to nothing: `doctor` finds out whether what they name works.
    """
    from gateway.doctor.configuration import check

    sys.exit(check(os.environ, Console(as_json=as_json)))


def _ago(text: str) -> float:
    """The time a given duration ago, in seconds since the epoch."""
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if found is None:
        raise click.BadParameter(f"{text!r} is not a duration (use 90, 5m, 2h or 1d)")
    return time.time() - int(found[1]) * _UNITS[found[2]]


@main.group()
def uploads() -> None:
    """Show uploads, and retry, cancel or erase them.

    All that it needs is the bucket: this works while Redis, the broker and ChatKitty are
    unavailable. Relayed uploads that wait for their audit are usually in Redis, and are not listed
    here.
    """


_older_than = click.option(
    "--older-than",
    "until",
    type=_ago,
    metavar="AGE",
    help="started at least this long ago (90, 5m, 2h)",
)


@uploads.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(_STATES),
    help="only those in this state; can be repeated",
)
@click.option("--all", "everything", is_flag=True, help="include uploads that have ended")
@_older_than
@click.option(
    "--newer-than", "since", type=_ago, metavar="AGE", help="started within this time (2h, 1d)"
)
@click.option("--subject", help="only this subject's uploads")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1), help="at most this many"
)
@_json_lines
def list_uploads(  # noqa: PLR0913, PLR0917 - click passes options by name
    states: tuple[str, ...],
    everything: bool,
    until: float | None,
    since: float | None,
    subject: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List uploads, the oldest first. By default, only pending ones.

    The state `dead` means records that could not be read and were set aside.
    """
    from gateway import admin

    query = admin.Query(frozenset(states), everything, subject, since, until)
    _operate(lambda session: admin.list_uploads(session, query, limit, as_json=as_json))


@uploads.command("show")
@click.argument("upload_id", metavar="ID")
@_json_object
def show_upload(upload_id: str, as_json: bool) -> None:
    """Show what the bucket knows about an upload."""
    from gateway import admin

    _operate(lambda session: admin.show(session, upload_id, as_json=as_json))


@uploads.command("retry")
@click.argument("upload_ids", metavar="[ID]...", nargs=-1)
@click.option("--all-failed", is_flag=True, help="all failed uploads that still have their file")
@_json_lines
def retry_uploads(upload_ids: tuple[str, ...], all_failed: bool, as_json: bool) -> None:
    """Resume failed hosted uploads from the step at which they failed.

    The sweeper resumes them within GATEWAY_SWEEP_INTERVAL seconds.
    """
    from gateway import admin

    if all_failed == bool(upload_ids):
        raise click.UsageError("give either ids or --all-failed")
    _operate(
        lambda session: (
            admin.retry_all(session) if all_failed else admin.retry(session, upload_ids)
        ),
        as_json=as_json,
    )


@uploads.command("cancel")
@click.argument("upload_ids", metavar="ID...", nargs=-1, required=True)
@click.option(
    "--force",
    is_flag=True,
    help="even if ChatKitty may already have the message, or the upload's state cannot be read",
)
@_json_lines
def cancel_uploads(upload_ids: tuple[str, ...], force: bool, as_json: bool) -> None:
    """End pending hosted uploads as failed, and delete their files.

    Uploads that have arrived only in part end as aborted, and their clients get a 410.
    """
    from gateway import admin

    _operate(lambda session: admin.cancel(session, upload_ids, force=force), as_json=as_json)


@uploads.command("orphans")
@_json_lines
def list_orphans(*, as_json: bool) -> None:
    """List complete files that have no record, the oldest first.

    ACCEPTED is `yes` if Redis remembers that the upload was accepted, so that its record was
    deleted. It is `unknown` for others: a gateway died, or the store failed, before the record was
    written, or Redis forgot. They are removed after GATEWAY_ORPHAN_RETENTION, LEFT from now.
    """
    from gateway import admin

    _operate(lambda session: admin.list_orphans(session, as_json=as_json))


@uploads.command("recover")
@click.argument("upload_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="all files that `uploads orphans` lists")
@click.option("--accepted", "accepted", is_flag=True, help="those that were accepted")
@click.option("--dry-run", is_flag=True, help="only print what would be done")
@_json_lines
def recover_uploads(
    upload_ids: tuple[str, ...], *, everything: bool, accepted: bool, dry_run: bool, as_json: bool
) -> None:
    """Recover complete files that have no record.

    A copy of the record is next to the file. Before they register a file, the workers search
    ChatKitty for its message. If a client received a 503 and repeated its upload without an
    idempotency key, the file may then exist twice.
    """
    from gateway import admin

    if (everything, accepted, bool(upload_ids)).count(True) != 1:
        raise click.UsageError("give either ids, --accepted or --all")
    _operate(
        lambda session: (
            admin.recover(session, upload_ids, dry_run=dry_run)
            if upload_ids
            else admin.recover_all(session, only_accepted=accepted, dry_run=dry_run)
        ),
        as_json=as_json,
    )


@uploads.command("discard")
@click.argument("upload_ids", metavar="[ID]...", nargs=-1)
@click.option(
    "--all", "everything", is_flag=True, help="all files that are not known to be accepted"
)
@click.option("--force", is_flag=True, help="even if an upload was accepted")
@_json_lines
def discard_uploads(
    upload_ids: tuple[str, ...], *, everything: bool, force: bool, as_json: bool
) -> None:
    """Delete complete files without a record now.

    They cannot be recovered. A client that repeats such a request with its idempotency key has to
    send the file again.
    """
    from gateway import admin

    if everything == bool(upload_ids) or (everything and force):
        raise click.UsageError("give either ids or --all; --force is for ids")
    _operate(
        lambda session: (
            admin.discard_all(session)
            if everything
            else admin.discard(session, upload_ids, force=force)
        ),
        as_json=as_json,
    )


@uploads.command("purge")
@click.option("--subject", help="only this subject's uploads")
@_older_than
@click.option("--yes", is_flag=True, help="erase them; without it, they are only listed")
@_json_lines
def purge_uploads(subject: str | None, until: float | None, yes: bool, as_json: bool) -> None:
    """Erase uploads: their files, records and idempotency keys.

    Messages that name such a file stay in ChatKitty, and their URLs no longer work.
    """
    from gateway import admin

    if subject is None and until is None:
        raise click.UsageError("give --subject, --older-than or both")
    query = admin.Query(everything=True, subject=subject, until=until)
    _operate(lambda session: admin.purge(session, query, yes=yes), as_json=as_json)


@main.group()
def webhooks() -> None:
    """Show messages to webhooks, send them again, and try endpoints."""


@webhooks.command("list")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1), help="at most this many"
)
@_json_lines
def list_messages(limit: int, as_json: bool) -> None:
    """List messages that wait, then those that were given up.

    Each has a line for each of its endpoints.
    """
    from gateway import admin

    _operate(lambda session: admin.list_messages(session, limit, as_json=as_json))


@webhooks.command("retry")
@click.argument("endpoints", metavar="[ENDPOINT]...", nargs=-1)
@click.option("--since", type=_ago, metavar="AGE", help="given up within this time (2h, 1d)")
@_json_lines
def retry_messages(endpoints: tuple[str, ...], since: float | None, as_json: bool) -> None:
    """Send again what was given up, to all endpoints or to these.

    Endpoints that were stopped, because they have answered 410, are sent messages again.
    """
    from gateway import admin

    _operate(lambda session: admin.retry_messages(session, endpoints, since), as_json=as_json)


@webhooks.command("test")
@click.argument("endpoints", metavar="[ENDPOINT]...", nargs=-1)
@_json_lines
def test_endpoints(endpoints: tuple[str, ...], as_json: bool) -> None:
    """Send a signed message of the type `webhook.test`, from here.

    The exit status is 0 if each endpoint has accepted it.
    """
    from gateway import admin

    _operate(lambda session: admin.try_endpoints(session, endpoints), as_json=as_json)


def _operate(work: "Callable[[Session], Awaitable[bool]]", *, as_json: bool = False) -> NoReturn:
    from gateway import admin

    sys.exit(asyncio.run(admin.run(_load_settings(), work, Console(as_json=as_json))))


def _load_settings() -> "Settings":
    from gateway import settings as configuration
    from gateway.telemetry import configure_logs, get_logger

    try:
        settings = configuration.load()
    except ConfigurationError as error:
        _refuse(error)
    configure_logs(settings.log_level, settings.log_levels)
    for name, hint in configuration.unknown_names(os.environ).items():
        get_logger(__name__).warning("settings.unknown", name=name + hint)
    return settings


def _refuse(error: ConfigurationError) -> NoReturn:
    for line in str(error).splitlines():
        click.echo(painted(f"error: {line}"), err=True)
    sys.exit(2)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise click.BadParameter(f"{text!r} is not the id of an application")
    return int(text)


def _pair(text: str, separator: str) -> tuple[str, str]:
    left, found, right = text.partition(separator)
    if not (left and found and right):
        raise click.BadParameter(f"{text!r} has no {separator!r} in it")
    return left, right


if __name__ == "__main__":
    main()
