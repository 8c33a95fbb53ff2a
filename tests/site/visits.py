"""One visit a page: everything that can be measured without a hand on the keyboard, several pages at a time."""

from __future__ import annotations

import asyncio
import functools
import gzip
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Request, async_playwright

IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico")
COMPRESSED = (".woff", ".woff2")
SERVED_ONLY = ("labs", "scripts", "vendor", "_static", "_images", "social")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
AT_ONCE = 3
PHONE = {"width": 390, "height": 844}
AXE = {"resultTypes": ["violations"], "preload": False}
# Only colours depend on the theme: all rules look at the light page, those on colour at the dark one.
RULES = {"light": AXE, "dark": {**AXE, "runOnly": ["color-contrast", "link-in-text-block"]}}

SETTLE = """() => Promise.resolve(window.MathJax && MathJax.startup && MathJax.startup.promise)
  .then(() => document.fonts.ready).then(() => true)"""
FORMULAS = """() => ({
  wanted: document.querySelectorAll('.math.notranslate').length,
  set: document.querySelectorAll('.math.notranslate mjx-container').length,
  elsewhere: document.querySelectorAll('.output mjx-container').length,
  broken: document.querySelectorAll('mjx-merror').length,
  raw: [...document.querySelectorAll('.output td, .output p, .output li')]
    .filter(e => !e.closest('pre, code, .tex2jax_ignore.output') && /\\\\\\(.*\\\\\\)/.test(e.textContent)).length,
})"""
OPEN = "() => document.querySelectorAll('article details').forEach(d => { d.open = true; })"
# A page has thousands of code tokens in a dozen colours: axe looks at one of each kind, at three rows of each table,
# and at a figure's words not at all, since FIGURES measures every one of them.
THIN = """() => {
  document.querySelectorAll('figure.cr-figure svg > g, figure.cr-figure svg > defs').forEach(g => g.remove());
  document.querySelectorAll('article tbody').forEach(body => [...body.rows].slice(3).forEach(row => row.remove()));
  const seen = new Set();
  for (const token of document.querySelectorAll('article .highlight pre span')) {
    const kind = token.className + (token.closest('.cell_output') ? ' out' : '');
    if (seen.has(kind)) token.replaceWith(...token.childNodes); else seen.add(kind);
  }
  document.querySelectorAll('article .highlight pre').forEach(pre => pre.normalize());
}"""
THEME = "theme => { document.documentElement.dataset.theme = theme; }"
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Figures and tables whose left edge lies outside of the box that cuts them: nobody can scroll there.
CLIPPED = """() => [...document.querySelectorAll('main figure.cr-figure svg, main .cr-table > table')].filter(el => {
  const left = el.getBoundingClientRect().left;
  for (let box = el.parentElement; box && box.tagName !== 'MAIN'; box = box.parentElement) {
    if (getComputedStyle(box).overflowX === 'visible') continue;
    if (left < box.getBoundingClientRect().left - box.scrollLeft - 1) return true;
  }
  return false;
}).length"""
# Words in figures against the page: the lowest contrast, and how many words there are.
FIGURES = """() => {
  const rgb = s => { const m = s.match(/[\\d.]+/g); return m ? m.slice(0, 3).map(Number) : null; };
  const light = c => c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const page = light(rgb(getComputedStyle(document.body).backgroundColor));
  const words = [...document.querySelectorAll('figure.cr-figure svg text')].map(t => ({
    text: t.textContent.trim(), fill: rgb(getComputedStyle(t).fill) })).filter(w => w.text && w.fill);
  return words.map(w => [ratio(light(w.fill), page), w.text]);
}"""


@dataclass
class Visit:
    """What a browser did and saw on one page, opened as a file."""

    page: str
    requests: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    formulas: dict[str, int] = field(default_factory=dict)
    axe: dict[str, list[tuple[str, int, list[str]]]] = field(default_factory=dict)
    words: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    overflow: int = 0
    clipped: int = 0

    def watch(self, page: Page) -> None:
        """Write down requests, failures and errors of a page."""
        page.on("request", lambda r: self.requests.add(r.url))
        page.on("requestfailed", self._fail)
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: self.errors.append(str(e)))

    def _fail(self, request: Request) -> None:
        self.failed.append(f"{request.failure} {request.url}")

    def outside(self, site: Path) -> list[str]:
        """Return the requests that leave the folder of the site."""
        home = site.resolve().as_uri() + "/"
        return sorted(u for u in self.requests if not u.startswith((home, "data:", "blob:", "about:")))

    def weight(self) -> int:
        """Return the bytes of what the page loads, each file compressed, pictures left out."""
        paths = {unquote(urlsplit(u).path) for u in self.requests if u.startswith("file:")}
        return sum(packed(path) for path in paths if not path.endswith(IMAGES))


@functools.cache
def packed(path: str) -> int:
    raw = Path(path).read_bytes()
    return len(raw) if path.endswith(COMPRESSED) else len(gzip.compress(raw, 6))


def pages(site: Path) -> list[str]:
    """Return all pages of the site, relative to its root."""
    found = [p.relative_to(site) for p in site.rglob("*.html")]
    return sorted(str(p) for p in found if p.parts[0] not in SERVED_ONLY)


async def _axe(page: Page, theme: str) -> list[tuple[str, int, list[str]]]:
    violations: list[dict[str, Any]] = (await Axe().run(page, options=RULES[theme])).response["violations"]
    return [
        (hit["id"], len(hit["nodes"]), [n["html"][:160] for n in hit["nodes"][:3]])
        for hit in violations
        if hit["impact"] in ("serious", "critical")
    ]


async def _visit(browser: Browser, site: Path, name: str) -> Visit:
    seen = Visit(name)
    context = await browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme="light", reduced_motion="reduce"
    )
    page = await context.new_page()
    seen.watch(page)
    await page.goto((site / name).resolve().as_uri())
    await page.evaluate(SETTLE)
    seen.formulas = await page.evaluate(FORMULAS)
    await page.evaluate(OPEN)
    await page.set_viewport_size(PHONE)
    seen.overflow = await page.evaluate(OVERFLOW)
    seen.clipped = await page.evaluate(CLIPPED)
    await page.set_viewport_size({"width": 1280, "height": 900})
    for theme in RULES:
        await page.evaluate(THEME, theme)
        seen.words[theme] = await page.evaluate(FIGURES)
    await page.evaluate(THIN)
    for theme in RULES:
        await page.evaluate(THEME, theme)
        seen.axe[theme] = await _axe(page, theme)
    await context.close()
    return seen


async def _all(site: Path, chromium: str) -> list[Visit]:
    gate = asyncio.Semaphore(AT_ONCE)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)

        async def one(name: str) -> Visit:
            async with gate:
                return await _visit(browser, site, name)

        found = await asyncio.gather(*(one(name) for name in pages(site)))
        await browser.close()
    return list(found)


def visit_all(site: Path, chromium: str) -> list[Visit]:
    """Visit every page; runs in a thread of its own, because this one may hold a browser already."""
    found: list[Visit] = []
    broken: list[BaseException] = []

    def work() -> None:
        try:
            found.extend(asyncio.run(_all(site, chromium)))
        except BaseException as err:  # noqa: BLE001 (raised again below, in the thread of the test)
            broken.append(err)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if broken:
        raise broken[0]
    return found
