"""Tries each part that the gateway depends on, and reports it in one line with what to do."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from secrets import token_hex
from typing import Final

import msgspec
from redis.exceptions import RedisError

from gateway.backends import Backends, open_backends
from gateway.doctor.agreement import check_agreement
from gateway.doctor.front import check_front
from gateway.doctor.host import check_clock, check_descriptors, check_libmagic
from gateway.doctor.parts import Finding, Part
from gateway.doctor.redis import check_redis, check_shares
from gateway.doctor.refusals import BROKER, REDIS
from gateway.doctor.sentinels import find_primary
from gateway.doctor.settings import check_settings
from gateway.doctor.store import check_store
from gateway.doctor.upstream import check_upstream
from gateway.doctor.verifiers import verifier_checks, who_is_let_in
from gateway.errors import ConfigurationError, GatewayError
from gateway.redis.address import is_redis
from gateway.settings import Settings

_PROBE: Final = "doctor/probe"

_SOUND, _AT_FAULT, _CANNOT_LOOK = 0, 1, 2
"""The exit statuses."""

Say = Callable[[str], None]
_Check = Callable[[], Awaitable[Sequence[str] | None]]
"""Returns advice, if there is any."""


async def examine(
    settings: Settings,
    say: Say,
    *,
    unknown: Mapping[str, str] | None = None,
    only: Collection[Part] = (),
    as_json: bool = False,
) -> int:
    """Report whether each part, or each of those in `only`, works. Returns the exit status.

    `unknown` are variables that look like settings but are none, with the likely names. Checking
    only the settings needs no network. Raises ConfigurationError for a part that the settings do
    not use.
    """
    if unused := sorted(set(only) - used(settings)):
        raise ConfigurationError(f"nothing to check: {_why_unused(unused[0])}")
    found: list[Finding] = []
    async with aclosing(look_at(settings, unknown or {}, set(only) or used(settings))) as findings:
        async for finding in findings:
            found.append(finding)
            if not as_json:
                reached = f", {finding.reached}" if finding.reached else ""
                say(f"{finding.part}: {finding.fault or f'ok{reached}'}")
    if as_json:
        say(_as_json(found))
    else:
        _say_the_rest(found, say)
    return _AT_FAULT if any(finding.fault for finding in found) else _SOUND


def refused(error: ConfigurationError, say: Say) -> int:
    """Report as JSON that the settings cannot be used. Returns the exit status."""
    fault = "; ".join(str(error).splitlines())
    say(_as_json([Finding(Part.SETTINGS, fault)]))
    return _CANNOT_LOOK


def _say_the_rest(found: Sequence[Finding], say: Say) -> None:
    for note in (note for finding in found for note in finding.notes):
        say(f"let in: {note}")
    for line in dict.fromkeys(line for finding in found for line in finding.advice):
        say(f"advice: {line}")


def document_of(found: Sequence[Finding]) -> dict[str, object]:
    """All findings as one object; docs/doctor.md promises its shape."""
    return {
        "ok": not any(finding.fault for finding in found),
        "parts": {
            finding.part: {
                "ok": finding.fault is None,
                "fault": finding.fault,
                "advice": list(finding.advice),
                **({"reached": finding.reached} if finding.reached else {}),
            }
            for finding in found
        },
        "let_in": [note for finding in found for note in finding.notes],
    }


def _as_json(found: Sequence[Finding]) -> str:
    return msgspec.json.encode(document_of(found)).decode()


def used(settings: Settings) -> set[Part]:
    """The parts that these settings use."""
    always = set(Part) - {Part.JWT, Part.INTROSPECTION, Part.FRONT}
    return always | set(verifier_checks(settings)) | set(_front_check(settings))


def _why_unused(part: Part) -> str:
    if part is Part.FRONT:
        return "GATEWAY_INTERIM_RESPONSES is off"
    return f"GATEWAY_AUTH does not name {part}"


async def look_at(
    settings: Settings, unknown: Mapping[str, str], parts: Collection[Part]
) -> AsyncGenerator[Finding, None]:
    """Try the parts, one after the other; `unknown` is as in `examine`."""
    if Part.SETTINGS in parts:

        async def by_themselves() -> Sequence[str]:
            return check_settings(settings, unknown)

        yield await _look(Part.SETTINGS, by_themselves)
    if set(parts) <= {Part.SETTINGS}:
        return
    async with open_backends(settings) as backends:
        for part, check in _checks(backends).items():
            if part in parts:
                finding = await _look(part, check)
                notes = await who_is_let_in(backends, part)
                reached = None if finding.fault else await _reached(settings, part)
                yield replace(finding, notes=notes, reached=reached)


async def _reached(settings: Settings, part: Part) -> str | None:
    """The server that sentinels name, if the part has any."""
    url = {Part.REDIS: settings.redis, Part.BROKER: settings.broker}.get(part)
    if url is None or not is_redis(url):
        return None
    try:
        primary = await find_primary(url)
    except ConfigurationError:  # they have changed their minds since
        return None
    return str(primary) if primary is not None else None


def _checks(backends: Backends) -> Mapping[Part, _Check]:
    settings = backends.settings

    async def store() -> None:
        # Another `doctor` may run at the same time.
        await check_store(backends.store, f"{_PROBE}-{token_hex(8)}")

    async def redis() -> Sequence[str]:
        return await check_redis(settings.redis, settings.redis_prefix, _PROBE, REDIS)

    async def broker() -> Sequence[str]:
        advice: list[str] = []
        if is_redis(settings.broker):
            names = REDIS if settings.broker_url is None else BROKER
            advice += await check_redis(settings.broker, settings.redis_prefix, _PROBE, names)
            if not settings.redis_prefix:
                advice += await check_shares(settings.broker)
            await asyncio.to_thread(backends.queue.check)
        await asyncio.to_thread(backends.queue.probe)
        return advice

    async def agreement() -> Sequence[str]:
        return await check_agreement(backends.redis, settings)

    async def upstream() -> None:
        await check_upstream(backends)

    return {
        Part.STORE: store,
        Part.REDIS: redis,
        Part.BROKER: broker,
        Part.AGREEMENT: agreement,
        Part.UPSTREAM: upstream,
        **_front_check(settings),
        **verifier_checks(settings),
        **_host_checks(settings),
    }


def _front_check(settings: Settings) -> Mapping[Part, _Check]:
    if not (settings.resumable and settings.interim_responses):
        return {}

    async def front() -> Sequence[str]:
        return await check_front(settings.public_url)

    return {Part.FRONT: front}


def _host_checks(settings: Settings) -> Mapping[Part, _Check]:
    async def clock() -> None:
        urls = {"upstream": str(settings.upstream_url)}
        if settings.s3_endpoint_url is not None:
            urls["store"] = str(settings.s3_endpoint_url)
        await check_clock(urls)

    async def descriptors() -> None:
        check_descriptors()

    return {Part.CLOCK: clock, Part.DESCRIPTORS: descriptors, Part.LIBMAGIC: check_libmagic}


async def _look(part: Part, check: _Check) -> Finding:
    try:
        return Finding(part, advice=await check() or ())
    except (GatewayError, RedisError, OSError) as error:
        said = "; ".join(str(error).splitlines())
        return Finding(part, said or type(error).__name__)
