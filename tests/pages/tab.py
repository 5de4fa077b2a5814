"""A tab with a page of ours in it: what it shows, how it is used, and what it does wrong."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.clients.browser import Page, browsing
from tests.clients.install import NODE

PATIENCE_MS: Final = 110_000
"""Less than the browser is given for an answer, so that a failure says what the page shows."""

# Before any script of the page: what it may not do, and what it asks of the operator.
_WATCH: Final = """
window.faults = [];
document.addEventListener("securitypolicyviolation", (event) =>
  faults.push(`${event.effectiveDirective}: ${event.blockedURI} ${event.sample}`));
window.addEventListener("error", (event) => faults.push(event.message));
window.addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));
window.confirm = () => true;
window.seen = (made) => new Promise((found, failed) => {
  const late = () => failed(new Error(`not seen: ${made}\\n${document.body.innerText}`));
  const end = setTimeout(late, PATIENCE);
  const look = () => { if (made()) { clearTimeout(end); found(true); } else setTimeout(look, 20); };
  look();
});
"""

_LABELLED: Final = """
(() => {
  const label = %s;
  const found = [...document.querySelectorAll("button, a")].filter((each) =>
    each.textContent.trim() === label && each.checkVisibility() && !each.disabled);
  return found.at(-1);
})()
"""


@dataclass(frozen=True)
class Tab:
    page: Page

    @classmethod
    @asynccontextmanager
    async def open(cls, directory: Path) -> "AsyncIterator[Tab]":
        async with browsing(directory) as page:
            watch = _WATCH.replace("PATIENCE", str(PATIENCE_MS))
            await page.ask("Page.enable")
            await page.ask("Page.addScriptToEvaluateOnNewDocument", source=watch)
            yield cls(page)

    async def go(self, url: str) -> None:
        await self.page.go(
            "about:blank", ""
        )  # an address that differs only behind the # loads nothing
        await self.page.go(url, "")

    async def is_so(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        await self.page.evaluate(f"seen(() => {expression})")

    async def see(self, *texts: str) -> None:
        """Wait until the page shows each of the texts."""
        for text in texts:
            await self.is_so(f"document.body.innerText.includes({json.dumps(text)})")

    async def text(self) -> str:
        return str(await self.page.evaluate("document.body.innerText"))

    async def click(self, label: str) -> None:
        """Click the button or link with that text, once it is there."""
        there = _LABELLED % json.dumps(label)
        await self.is_so(there)
        await self.page.evaluate(f"{there}.click()")

    async def submit(self, label: str) -> None:
        """Click the button of a form with that text, and wait for the page that it opens."""
        await self.page.follow(f"{_LABELLED % json.dumps(label)}.click()")

    async def write(self, selector: str, text: str) -> None:
        """Put text into a field."""
        await self.page.evaluate(
            f"document.querySelector({json.dumps(selector)}).value = {json.dumps(text)}"
        )

    async def fill(self, selector: str, text: str) -> None:
        """Put text into a field, or choose what has that value, as a reader does it."""
        await self.page.evaluate(
            f"(() => {{ const field = document.querySelector({json.dumps(selector)});"
            f" field.value = {json.dumps(text)}; for (const kind of ['input', 'change'])"
            " field.dispatchEvent(new Event(kind, {bubbles: true})); })()"
        )

    async def choose_file(self, selector: str, file: Path) -> None:
        """Choose a file on the disk."""
        found = await self.page.ask(
            "Runtime.evaluate", expression=f"document.querySelector({json.dumps(selector)})"
        )
        await self.page.ask(
            "DOM.setFileInputFiles", files=[str(file)], objectId=found["result"]["objectId"]
        )

    async def press(self, key: str) -> None:
        codes = {"Tab": 9, "Enter": 13, "Escape": 27}
        sent = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        typed = {"text": "\r"} if key == "Enter" else {}
        await self.page.ask("Input.dispatchKeyEvent", type="keyDown", **sent, **typed)
        await self.page.ask("Input.dispatchKeyEvent", type="keyUp", **sent)

    async def resize(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        await self.page.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.page.ask("Emulation.setEmulatedMedia", features=[scheme])

    async def assert_sound(self) -> None:
        """The page broke none of its own rules, fits its width, and axe has nothing to say."""
        await self.is_so("document.getAnimations().length === 0")  # or colours are in between
        assert await self.page.evaluate("faults") == []
        wide = "[document.documentElement.scrollWidth, innerWidth]"
        width, most = await self.page.evaluate(wide)
        assert width <= most, f"{width} pixels in {most}"
        axe = (NODE / "node_modules" / "axe-core" / "axe.min.js").read_text()
        await self.page.evaluate(f"{axe}; undefined")
        found: Any = await self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations']}).then((found) => found.violations.map("
            "(each) => [each.id, each.nodes.map((node) => node.html + node.failureSummary)]))"
        )
        assert found == [], found

    async def screenshot(self) -> bytes:
        answer = await self.page.ask("Page.captureScreenshot", format="png")
        return base64.b64decode(answer["data"])


async def said(tab: Tab, text: str) -> None:
    """Wait until the page to try uploads with says exactly that of the upload."""
    await tab.is_so(f"document.querySelector('.big')?.textContent === {json.dumps(text)}")
