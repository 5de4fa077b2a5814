"""Metrics as a scraper reads them."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

PREFIX = "chatkitty_gateway_"

_PATIENCE: Final = 60.0
"""How long a machine may be busy with other tests, in seconds."""


class Scrape:
    """One answer to `GET /metrics`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        return sum(
            sample.value
            for family in self.families.values()
            for sample in family.samples
            if sample.name == PREFIX + name and labels.items() <= sample.labels.items()
        )


async def scrape(admin_url: str) -> Scrape:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{admin_url}/metrics") as answer,
    ):
        assert answer.status == 200
        return Scrape(await answer.text())


async def until(admin_url: str, holds: Callable[[Scrape], bool]) -> Scrape:
    """The first scrape for which the condition is true."""
    async with asyncio.timeout(_PATIENCE):
        while not holds(found := await scrape(admin_url)):
            await asyncio.sleep(0.1)
    return found
