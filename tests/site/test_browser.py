"""Every page of the site in a real browser: nothing is fetched from outside, nothing fails, everybody can read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from visits import PHONE, SETTLE, Visit, pages, visit_all

BUDGET = 1_500_000
FOCUS = """() => {
  const e = document.activeElement, c = getComputedStyle(e), box = e.getBoundingClientRect();
  return {name: (e.getAttribute('aria-label') || e.innerText || e.title || '').trim(),
          tag: e.tagName, cls: e.className,
          outline: c.outlineStyle !== 'none' && parseFloat(c.outlineWidth) >= 2,
          seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight};
}"""
BEFORE_QUIZ = """() => {
  const stops = [...document.querySelectorAll('a, button, summary, [tabindex="0"]')];
  const k = stops.findIndex(e => e.closest('.cr-quiz'));
  stops.slice(0, k).reverse().find(e => { e.focus(); return document.activeElement === e; });
}"""


@pytest.fixture(scope="session")
def visits(site: Path, chromium_path: str) -> list[Visit]:
    """One visit of every page, opened as a file."""
    return visit_all(site, chromium_path)


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme="light", reduced_motion="reduce"
    )
    yield context.new_page()
    context.close()


def show(tab: Page, site: Path, name: str) -> None:
    tab.goto((site / name).resolve().as_uri())
    tab.evaluate(SETTLE)


def errors_of(tab: Page) -> list[str]:
    told: list[str] = []
    tab.on("console", lambda m: told.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda e: told.append(str(e)))
    tab.on("requestfailed", lambda r: None if "favicon" in r.url else told.append(f"{r.failure} {r.url}"))
    tab.on("response", lambda r: told.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    return told


def test_every_page_was_visited(site: Path, visits: list[Visit]) -> None:
    assert {v.page for v in visits} == set(pages(site))
    assert min(len(v.requests) for v in visits) > 3


def test_pages_ask_for_nothing_outside(site: Path, visits: list[Visit]) -> None:
    assert {v.page: v.outside(site) for v in visits if v.outside(site)} == {}


def test_no_request_fails_and_no_error_is_told(visits: list[Visit]) -> None:
    assert {v.page: v.failed + v.errors for v in visits if v.failed or v.errors} == {}


def test_the_site_also_works_from_a_server(site: Path, server: str, tab: Page) -> None:
    told = errors_of(tab)
    chapter = next(p for p in pages(site) if p.startswith("chapters/"))
    for name in ("index.html", chapter, "search.html?q=sample"):
        tab.goto(f"{server}/{name}", wait_until="networkidle")
        tab.evaluate(SETTLE)
    assert told == []


def test_formulas_are_set(visits: list[Visit]) -> None:
    assert {v.page: v.formulas for v in visits if v.formulas["set"] < v.formulas["wanted"]} == {}
    assert {v.page: v.formulas for v in visits if v.formulas["broken"] or v.formulas["raw"]} == {}
    assert sum(v.formulas["wanted"] for v in visits) > 0
    assert sum(v.formulas["elsewhere"] for v in visits) > 0, "no formula in the output of a cell was looked at"


def test_nothing_is_cut_at_the_left_on_a_phone(visits: list[Visit]) -> None:
    assert {v.page: v.clipped for v in visits if v.clipped > 0} == {}


def test_no_page_is_wider_than_a_phone(visits: list[Visit]) -> None:
    assert {v.page: v.overflow for v in visits if v.overflow > 0} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(theme: str, visits: list[Visit]) -> None:
    assert {v.page: v.axe[theme] for v in visits if v.axe[theme]} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_in_figures_stand_out(theme: str, visits: list[Visit]) -> None:
    assert sum(len(v.words[theme]) for v in visits) > 0
    faint = {v.page: [w for w in v.words[theme] if w[0] < 3] for v in visits}
    assert {page: words for page, words in faint.items() if words} == {}


def test_pages_are_light(visits: list[Visit]) -> None:
    weights = {v.page: v.weight() for v in visits}
    print("\nheaviest pages (bytes, compressed):", dict(sorted(weights.items(), key=lambda kv: -kv[1])[:3]))
    assert min(weights.values()) > 10_000
    assert {page: w for page, w in weights.items() if w > BUDGET} == {}


def test_search_finds_a_word_in_a_folder_of_files(site: Path, tab: Page) -> None:
    page = next(p for p in pages(site) if p.startswith("chapters/") and "/data/" not in p)
    text = re.sub(r"<[^>]+>", " ", (site / page).read_text(encoding="utf-8").split("<h1>")[1].split("</h1>")[0])
    word = max(re.findall(r"[a-zA-Z]{4,}", text), key=len)
    told = errors_of(tab)
    show(tab, site, "index.html")
    tab.keyboard.press("Control+k")
    tab.keyboard.type(word)
    tab.keyboard.press("Enter")
    tab.wait_for_selector("ul.search li a", timeout=15_000)
    tab.wait_for_timeout(300)
    targets = tab.locator("ul.search li a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    assert any(page in t for t in targets), (word, targets)
    tab.goto((site / "search.html").resolve().as_uri() + "?q=qqxyzzyqq")
    tab.wait_for_function("() => /did not match|0 page/.test(document.body.innerText)", timeout=15_000)
    assert told == []


def test_search_quotes_the_pages_on_a_server(server: str, tab: Page) -> None:
    told = errors_of(tab)
    tab.goto(f"{server}/search.html?q=recommender", wait_until="networkidle")
    tab.wait_for_selector("ul.search li .context", timeout=15_000)
    assert told == []


def test_theme_can_be_switched_and_stays(site: Path, tab: Page) -> None:
    show(tab, site, "index.html")
    looks = {}
    for _ in range(3):
        tab.locator("button.theme-switch-button:visible").first.click()
        theme = tab.evaluate("() => document.documentElement.dataset.theme")
        looks[theme] = tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
        tab.wait_for_timeout(500)  # the browser stores the choice a moment later
        show(tab, site, next(p for p in pages(site) if p.startswith("chapters/")))
        assert tab.evaluate("() => document.documentElement.dataset.theme") == theme, "the choice was lost"
        show(tab, site, "index.html")
    assert set(looks) == {"light", "dark"}
    assert len(set(looks.values())) == 2


def test_keyboard_reaches_everything(site: Path, tab: Page) -> None:
    show(tab, site, "index.html")
    stops = []
    for _ in range(60):
        tab.keyboard.press("Tab")
        stops.append(tab.evaluate(FOCUS))
        if stops[-1]["tag"] == "BODY":
            break
    assert re.search(r"skip to main", stops[0]["name"], re.I)
    assert stops[0]["seen"]
    reached = " | ".join(f"{s['name']} {s['cls']}" for s in stops).lower()
    for wanted in ("search", "theme-switch", "sidebar"):
        assert wanted in reached, (wanted, reached)
    assert [s for s in stops if s["seen"] and s["tag"] != "BODY" and not s["outline"]] == []


def test_skip_link_goes_to_the_text(site: Path, tab: Page) -> None:
    show(tab, site, "index.html")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    tab.keyboard.press("Tab")
    assert tab.evaluate("() => document.activeElement.closest('main, #main-content') !== null")


def test_menu_of_a_phone_opens_and_closes_by_keyboard(site: Path, chromium: Browser) -> None:
    context = chromium.new_context(viewport=PHONE, color_scheme="light")
    tab = context.new_page()
    show(tab, site, "index.html")
    button = tab.locator("button.primary-toggle:visible").first
    button.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_selector("nav.bd-links a:visible", timeout=5_000)
    tab.keyboard.press("Escape")
    tab.wait_for_selector("nav.bd-links a", state="hidden", timeout=5_000)
    context.close()


def test_quiz_can_be_answered_by_keyboard(site: Path, tab: Page) -> None:
    page = next((p for p in pages(site) if 'class="cr-quiz"' in (site / p).read_text(encoding="utf-8")), None)
    assert page is not None, "no page has a quiz"
    show(tab, site, page)
    first = tab.locator(".cr-quiz details").first
    assert first.get_attribute("open") is None
    tab.evaluate(BEFORE_QUIZ)
    for _ in range(5):
        tab.keyboard.press("Tab")
        if tab.evaluate("() => document.activeElement.closest('.cr-quiz') !== null"):
            break
    assert tab.evaluate("() => document.activeElement.closest('.cr-quiz') !== null")
    tab.keyboard.press("Enter")
    assert first.get_attribute("open") is not None
    assert first.locator("p").is_visible()
    assert tab.evaluate(FOCUS)["outline"]


def test_second_search_bar_is_gone(site: Path, tab: Page) -> None:
    show(tab, site, "index.html")
    assert tab.locator(".search-button-field:visible, form.bd-search:visible").count() == 1
