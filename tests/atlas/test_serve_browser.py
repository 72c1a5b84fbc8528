"""The live page in a real browser: a photograph in, pictures out, and hostile names stay text."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phosphene.atlas.site import write
from phosphene.zoo.demo import demo
from tests.atlas.atlases import NASTY, atlas
from tests.atlas.serving import LAYERS, Running, network, photograph, running

DROP = """([data, name]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, { type: "image/png" }));
  const event = KIND;
  document.body.dispatchEvent(event);
}"""
DROPPED = DROP.replace(
    "KIND", 'new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true })'
)
PASTED = DROP.replace(
    "KIND", 'new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true })'
)

Visit = Callable[..., Any]


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    """Return a function that opens a server's page; no page may complain or ask elsewhere."""
    contexts, wrong, asked = [], [], []

    def open_page(at: Running, path: str = "/live", **options: Any) -> Any:
        home = f"http://127.0.0.1:{at.port}/"
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        # A refusal is an answer, which browsers note in their console.
        page.on(
            "console",
            lambda said: "status of 422" in said.text or wrong.append(f"{said.type}: {said.text}"),
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: asked.append((home, request.url)))
        page.goto(home + path.lstrip("/"))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []
    assert asked
    assert [url for home, url in asked if not url.startswith((home, "data:"))] == []


@pytest.fixture(scope="module")
def at() -> Iterator[Running]:
    with running(net=network()) as server:
        yield server


@pytest.fixture(scope="module")
def nasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A hostile site, and a network whose classes have hostile names."""
    folder = tmp_path_factory.mktemp("nasty")
    write(atlas(folder, nasty=True), folder)
    with running(folder, network((NASTY, "javascript:alert(1)", "__proto__", "<b>x"))) as server:
        yield server


def until(page: Any, condition: str) -> None:
    """Wait for a condition; Playwright's way evaluates text, which the page's policy forbids."""
    for _ in range(400):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def settled(page: Any) -> None:
    """Wait until the page asks for nothing more."""
    until(
        page,
        "!document.getElementById('units').hidden && document.getElementById('progress').hidden"
        " && !document.getElementById('state').textContent",
    )


def drop(page: Any, name: str = "cat.png", data: bytes | None = None, how: str = DROPPED) -> None:
    page.evaluate(how, [base64.b64encode(data or photograph()).decode(), name])


def broken(page: Any) -> int:
    return int(
        page.evaluate(
            "[...document.images].filter((i) => i.complete && !i.naturalWidth && i.src).length"
        )
    )


def test_a_photograph_is_dropped_and_a_unit_opened(at: Running, visit: Visit) -> None:
    page = visit(at)
    drop(page)
    settled(page)
    assert page.is_hidden("#drop")
    assert page.inner_text("#name") == "cat.png"
    assert page.locator("#classes tbody tr").count() == 4
    assert page.locator("#why-pictures img").count() == 4
    best = page.locator("#classes [aria-pressed=true]").inner_text()
    assert page.inner_text("#why-title").startswith(f"Why {best}?")
    rows = page.locator(".layer-row")
    assert rows.count() == len(LAYERS)
    assert rows.nth(1).locator("li").count() == 8
    rows.nth(1).locator("li a").nth(2).click()
    page.wait_for_selector(".opened")
    unit = rows.nth(1).locator("li b").nth(2).inner_text()
    assert page.inner_text(".opened h4").endswith(f" {unit}")
    assert page.locator(".opened .pair-pictures img").count() == 3
    signal = ".opened figure:last-child img"
    before = page.get_attribute(signal, "src")
    page.locator(".opened .segments label").first.click()
    assert page.get_attribute(signal, "src") != before
    rows.nth(1).locator("li a").nth(2).click()
    assert page.locator(".opened").count() == 0
    assert broken(page) == 0


def test_another_class_is_explained_and_a_wrong_one_said_to_be_so(
    at: Running, visit: Visit
) -> None:
    page = visit(at)
    drop(page)
    settled(page)
    page.locator("#classes tbody button").nth(2).click()
    name = page.locator("#classes tbody button").nth(2).inner_text()
    until(page, f"document.getElementById('why-title').textContent.startsWith('Why {name}?')")
    page.fill("#classes form input", "house cat")
    page.keyboard.press("Enter")
    until(page, "document.getElementById('why-title').textContent.startsWith('Why cat, house')")
    page.fill("#classes form input", "robins")
    page.keyboard.press("Enter")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "did you mean 'robin'" in page.inner_text("#trouble")
    page.fill("#classes form input", "robin")
    page.keyboard.press("Enter")
    until(page, "document.getElementById('trouble').hidden")


def test_what_is_no_photograph_is_said_to_be_none(at: Running, visit: Visit) -> None:
    page = visit(at)
    drop(page, "notes.txt", b"hello")
    page.wait_for_selector("#trouble:not([hidden])")
    assert "no image that can be read" in page.inner_text("#trouble")
    assert page.get_attribute("#trouble", "role") == "alert"
    assert page.is_visible("#drop")
    drop(page, how=PASTED)
    settled(page)
    assert page.is_hidden("#trouble")


def test_all_can_be_done_by_keys(at: Running, visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(photograph())
    page = visit(at)
    choosers: list[Any] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    page.wait_for_timeout(300)  # until the browser knows that it is listened to
    page.focus("#choose")
    page.keyboard.press("Enter")
    for _ in range(100):
        if choosers:
            break
        page.wait_for_timeout(50)
    choosers[0].set_files(tmp_path / "a.png")
    settled(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('li') !== null")
    assert page.locator("#stage .mark").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_selector(".opened")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    page.select_option("#layer", "conv1")
    until(page, "document.activeElement.closest('[data-layer=conv1]') !== null")
    page.focus("#again")
    page.keyboard.press("Enter")
    assert page.is_visible("#drop")
    assert page.evaluate("document.activeElement.id") == "choose"


def test_hostile_names_stay_text(nasty: Running, visit: Visit) -> None:
    page = visit(nasty)
    drop(page, NASTY.replace("/", "") + ".png")
    settled(page)
    assert "<img src=x onerror=alert(1)>" in page.inner_text("#name")
    names = page.locator("#classes tbody button").all_inner_texts()
    assert any("<img src=x" in name for name in names)
    assert {"javascript:alert(1)", "__proto__", "<b>x"} < set(names)
    assert page.locator("#classes b, main img[src=x]").count() == 0
    for k in range(4):
        page.locator("#classes tbody button").nth(k).click()
        until(page, "document.getElementById('progress').hidden")
    assert page.locator("#alike-list li").count() == 1
    page.locator(".layer-row li a").first.click()
    page.wait_for_selector(".opened .own")
    assert page.locator(".opened .thumbs img").count() == 13
    page.wait_for_timeout(200)
    assert broken(page) == 0


def test_the_site_and_its_live_page_lead_to_each_other(tmp_path: Path, visit: Visit) -> None:
    write(atlas(tmp_path), tmp_path)
    with running(tmp_path, network()) as at:
        page = visit(at, "/")
        page.click("a[href='/live']")
        page.wait_for_url("**/live")
        drop(page)
        settled(page)
        assert page.locator(".layer-row").count() == len(LAYERS)
        page.locator(".layer-row li a").first.click()
        page.wait_for_selector(".opened a[href^='/units/']")
        page.click(".opened a[href^='/units/']")
        page.wait_for_url("**/units/conv1/*.html")
        page.click("#theme")
        page.keyboard.press("g")
        page.wait_for_url("**/index.html")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.fill(".find input", "concept:red")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html*")
        until(page, "document.querySelectorAll('.grid li').length > 3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_demo_at_a_narrow_width(visit: Visit, scheme: str) -> None:
    with running(net=demo()) as at:
        page = visit(at, viewport={"width": 360, "height": 740}, color_scheme=scheme)
        page.click("[data-scene='3']")
        settled(page)
        page.locator(".layer-row li a").first.click()
        page.wait_for_selector(".opened")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
