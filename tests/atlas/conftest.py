"""A browser for the site, where there is one; each page tested must be quiet and stay at home."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from phosphene.atlas.site import write
from tests.atlas.atlases import atlas

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium is installed (Debian's package is `chromium`)")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    # The sandbox refuses to run as root, as in containers.
    options = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=path, args=options)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens files; afterwards no page may have complained or gone out."""
    contexts, wrong = [], []

    def failure(asked: Any) -> list[str]:
        # A page that is left stops loading its pictures.
        return [] if asked.failure == "net::ERR_ABORTED" else [f"failed: {asked.url}"]

    def open_page(path: Path, fragment: str = "", **options: Any) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda said: wrong.append(f"{said.type}: {said.text}"))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on(
            "request",
            lambda asked: asked.url.startswith("file:///") or wrong.append(asked.url),
        )
        page.on("requestfailed", lambda asked: wrong.extend(failure(asked)))
        page.goto(path.as_uri() + fragment)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small site's first page."""
    folder = tmp_path_factory.mktemp("site")
    return write(atlas(folder), folder)


@pytest.fixture(scope="session")
def nasty_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first page of a site where every text is hostile."""
    folder = tmp_path_factory.mktemp("nasty")
    return write(atlas(folder, nasty=True), folder)


@pytest.fixture(scope="session")
def large_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first page of a site of 5,000 units."""
    folder = tmp_path_factory.mktemp("large")
    return write(atlas(folder, layers=2, units=2500, different=2500), folder)
