"""The site in a real browser, opened from its files."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from phosphene.atlas.places import Places
from phosphene.atlas.site import write
from tests.atlas.atlases import NASTY, atlas


def shown(page, grid="#units"):
    """List the numbers of the units that a grid shows, in order."""
    texts = page.locator(f"{grid} > li:visible b").all_text_contents()
    return [int(text) for text in texts]


def go(page, selector):
    """Click and wait for the page that it leads to."""
    with page.expect_navigation():
        page.click(selector)


def until(page, condition):
    """Wait for a condition; Playwright's way evaluates text, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def focused(page):
    return page.evaluate("document.activeElement.getAttribute('href')")


def test_clicks_lead_from_the_network_to_a_unit_and_on(site, opened):
    page = opened(site)
    go(page, "svg a[aria-label^='fire2/concat']")
    assert page.url.endswith("/layers/fire2-concat.html")
    go(page, "#units li:nth-child(4) a")
    assert page.url.endswith("/units/fire2-concat/3.html")
    assert "tabby cat" in page.inner_text("h1")
    go(page, "a[rel=next]")
    assert page.url.endswith("/4.html")
    go(page, "a[rel=prev]")
    go(page, ".beside .grid a")  # its first neighbour
    assert page.url.endswith("/4.html")
    go(page, "a[rel=up]")
    go(page, ".top .home")
    assert page.url.endswith("/index.html")
    go(page, "table.layers tbody tr:nth-child(1) td.number a")  # its dead units
    assert page.url.endswith("/layers/conv1.html#flag=dead")
    assert shown(page) == [9]


def test_keys_do_the_same(site, opened):
    page = opened(site.parent / "units" / "conv1" / "3.html")
    for key, place in (("j", "4"), ("ArrowRight", "5"), ("k", "4"), ("ArrowLeft", "3")):
        page.keyboard.press(key)
        page.wait_for_url(f"**/conv1/{place}.html")
    page.keyboard.press("Escape")
    page.wait_for_url("**/layers/conv1.html")
    for _ in range(3):
        page.keyboard.press("j")
    assert focused(page).endswith("/2.html")
    page.keyboard.press("k")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    across = page.evaluate(
        "getComputedStyle(document.querySelector('#units')).gridTemplateColumns.split(' ').length"
    )
    assert focused(page).endswith(f"/{min(11, 2 + across)}.html")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/units/conv1/*.html")
    page.keyboard.press("g")
    page.wait_for_url("**/index.html")
    page.keyboard.press("j")
    assert focused(page) == "layers/conv1.html"
    page.keyboard.press("/")
    page.keyboard.type("jg? layer:conv1 3")  # letters in a box are letters
    assert page.url.endswith("/index.html")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")
    page.click("#keys")
    page.click("#help button")
    assert not page.is_visible("#help")
    assert page.url.endswith("/index.html")


def test_a_picture_is_enlarged_and_left(site, opened):
    page = opened(site.parent / "units" / "conv1" / "3.html")
    page.locator(".strip img").first.focus()
    page.keyboard.press("Enter")
    assert page.is_visible("dialog.overlay")
    assert page.get_attribute("dialog.overlay img", "src").endswith("/m3.png")
    page.keyboard.press("ArrowLeft")  # around to the last
    assert page.get_attribute("dialog.overlay img", "src").endswith("/p3.png")
    assert "caption of p3.png" in page.inner_text("dialog.overlay p")
    page.keyboard.press("Escape")
    assert not page.is_visible("dialog.overlay")
    assert page.url.endswith("/3.html")


def test_units_are_filtered_and_sorted(site, opened):
    page = opened(site.parent / "layers" / "conv1.html")
    assert shown(page) == list(range(12))
    assert page.inner_text("#count") == "12 units"
    page.select_option("#concept", "red")
    assert shown(page) == [0, 3, 6, 9]
    assert page.inner_text("#count") == "4 of 12 units"
    page.select_option("#sort", "iou")
    assert shown(page) == [9, 6, 3, 0]
    page.click("#order")
    assert shown(page) == [0, 3, 6, 9]
    page.fill("#least", "0.3")
    assert shown(page) == [6, 9]
    page.select_option("#bound", "statistic:maximum")
    assert page.input_value("#least") == ""
    page.fill("#most", "5")
    assert shown(page) == [9]
    page.select_option("#flag", "dead")
    page.select_option("#category", "texture")
    assert shown(page) == []
    assert page.is_visible("#none")
    page.click("#chips button:has-text('category')")
    assert shown(page) == [9]
    while page.locator("#chips button").count():
        page.locator("#chips button").first.click()
    page.select_option("#sort", "statistic:maximum")
    assert shown(page) == list(range(12))
    page.click("#order")
    assert shown(page) == list(range(11, -1, -1))


def test_pictures_switch_between_kinds(site, opened):
    page = opened(site.parent / "layers" / "conv1.html")
    first = page.locator("#units li:visible img").first
    assert first.get_attribute("src").endswith("/m0.png")
    page.check("input[value=patches]", force=True)
    assert first.get_attribute("src").endswith("/p0.png")
    assert page.url.endswith("#show=patches")
    until(page, "document.querySelector('#units img').naturalWidth === 64")


FRAGMENT = (
    "#show=patches&sort=statistic%3Amaximum&order=up&concept=red&min.iou=0.3"
    "&max.statistic%3Amaximum=9"
)


def test_deep_links_open_what_they_were_made_of(site, opened):
    page = opened(site.parent / "layers" / "conv1.html", FRAGMENT)
    assert shown(page) == [9, 6]
    assert page.input_value("#sort") == "statistic:maximum"
    assert page.input_value("#concept") == "red"
    assert page.input_value("#least") == "0.3"
    assert page.is_checked("input[value=patches]")
    # What the controls write is what was read.
    page.click("#order")
    page.click("#order")
    again = opened(site.parent / "layers" / "conv1.html", page.evaluate("location.hash"))
    assert shown(again) == [9, 6]
    # Another fragment on the same page, as by Back.
    page.evaluate("location.hash = '#flag=dead'")
    until(page, "document.getElementById('flag').value === 'dead'")
    assert shown(page) == [9]
    assert page.input_value("#concept") == ""


def test_a_fragment_of_nonsense_shows_everything(site, opened):
    page = opened(
        site.parent / "layers" / "conv1.html",
        "#show=x&sort=__proto__&order=%FF&min.iou=a&max.iou=&constructor=1&%E0%A4%A",
    )
    assert shown(page) == list(range(12))


QUERIES = {
    "3": [("conv1", 3), ("fire2/concat", 3), ("fire3/concat", 3)],
    "tabby conv1": [("conv1", 3)],
    '"tabby cat" -layer:conv1': [("fire2/concat", 3), ("fire3/concat", 3)],
    "layer:conv1 concept:red": [("conv1", k) for k in (9, 6, 3, 0)],
    "layer:conv1 concept:red iou>0.3": [("conv1", 9), ("conv1", 6)],
    "conv1 detector:stripes": [("conv1", 10), ("conv1", 7)],
    "conv1 category:part flag:dead": [],
    "conv1 flag:dead": [("conv1", 9)],
    "layer:conv1 maximum>=11": [("conv1", 0), ("conv1", 1)],
    'layer:conv1 "share positive"<0.1': [("conv1", 0), ("conv1", 1)],
    "layer:conv1 share>0.9": [("conv1", 11)],
    "layer:conv1 unit<2": [("conv1", 0), ("conv1", 1)],
    "layer:conv1 -maximum>1 ": [("conv1", 11)],
    "conv1 dog's 11": [("conv1", 11)],
    "nowhere": [],
    "<b> \\ (.* [": [],
}


def found(page):
    places = page.locator("#results .place").all_text_contents()  # those out of sight too
    return list(zip(places, shown(page, "#results"), strict=True))


def test_queries_find_what_they_say(site, opened):
    page = opened(site.parent / "search.html")
    for query, wanted in QUERIES.items():
        page.fill("#query", query)
        assert found(page) == wanted, query
    page.fill("#query", "lustre>3")
    assert page.inner_text("#count") == "There is no statistic lustre."
    page.fill("#query", "")
    assert found(page) == []
    assert page.is_visible("#syntax")


def test_search_is_reached_from_every_page_and_linked_to(site, opened):
    page = opened(site.parent / "units" / "conv1" / "3.html")
    page.keyboard.press("/")
    page.keyboard.type('layer:conv1 "share positive">0.9')
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html#*")
    assert found(page) == [("conv1", 11)]
    assert page.locator("#results img").first.get_attribute("src") == "pictures/m11.png"
    page.keyboard.press("/")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_url("**/units/conv1/11.html")
    go(page, ".bars th a")  # a concept leads to who else matches it
    page.wait_for_url("**/search.html#*")
    assert page.input_value("#query") == 'concept:"dog\'s ear"'
    assert len(found(page)) == 12


def test_results_sort_by_a_statistic(site, opened):
    page = opened(site.parent / "search.html", "#q=layer%3Aconv1&sort=statistic%3Ashare+positive")
    assert [k for _, k in found(page)] == list(range(11, -1, -1))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_until_one_chooses(site, opened, scheme):
    page = opened(site, color_scheme=scheme)

    def ground():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light, dark = "rgb(255, 255, 255)", "rgb(19, 20, 22)"
    assert ground() == (light if scheme == "light" else dark)
    page.click("#theme")
    assert ground() == (dark if scheme == "light" else light)
    go(page, "table.layers a")
    assert ground() == (dark if scheme == "light" else light)
    page.click("#theme")
    page.reload()
    assert ground() == (light if scheme == "light" else dark)


def test_hostile_names_stay_text(nasty_site, opened):
    slug = Places.of(atlas(nasty_site.parent, nasty=True)).slugs[-1]
    for place in ("index.html", f"layers/{slug}.html", f"units/{slug}/3.html"):
        page = opened(nasty_site.parent / place)
        assert page.locator("img[onerror], img[src=x], b b, svg img").count() == 0
        assert "onerror" in page.inner_text("main")
    page = opened(nasty_site.parent / "layers" / f"{slug}.html")
    squeezed = " ".join(NASTY.split())
    page.select_option("#flag", NASTY)
    page.select_option("#sort", f"statistic:{NASTY}")
    page.select_option("#category", NASTY)
    assert len(shown(page)) == 12
    assert " ".join(page.locator("#chips button").first.inner_text().split()).endswith(squeezed)
    again = opened(nasty_site.parent / "layers" / f"{slug}.html", page.evaluate("location.hash"))
    assert again.input_value("#flag") == NASTY
    page.select_option("#sort", "statistic:huge")
    assert page.locator("#units .line .said").first.inner_text() == "∞"
    page = opened(nasty_site.parent / "search.html", f"#q={quote('onerror')}")
    assert len(found(page)) == 12
    page.fill("#query", "__proto__")
    assert len(shown(page, "#results")) == 12
    page.fill("#query", NASTY)
    assert page.locator("img[onerror], img[src=x]").count() == 0
    assert page.evaluate("({}).name") is None


def test_five_thousand_units_load_few_pictures_and_are_found(large_site, opened):
    page = opened(large_site)
    assert page.inner_text(".lead") == "2 layers, 5000 units"
    loaded = []
    page.on("request", lambda asked: loaded.append(asked.url))
    page.goto((large_site.parent / "layers" / "conv1.html").as_uri())
    assert page.locator("#units li").count() == 2500
    # Of the 2,500 pictures those in and near the window are loaded.
    until(page, "document.images[0].naturalWidth > 0")
    assert 0 < len([url for url in loaded if "/pictures/" in url]) < 1000
    page.fill("#least", "0.999")
    assert shown(page) == [2498, 2499]
    page.goto((large_site.parent / "search.html").as_uri() + "#q=iou>0.9993")
    assert [k for _, k in found(page)] == [2499, 2499]
    assert page.locator("#results li").count() == 2
    page.fill("#query", "layer:c")
    # All of both layers match; only so many stand on the page until one scrolls on.
    assert page.inner_text("#count") == "5000 units"
    assert page.locator("#results li").count() <= 480
    before = page.locator("#results li").count()
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    until(page, f"document.querySelectorAll('#results li').length > {before}")
    # One script holds all units; no page asks for more than its own few files.
    assert len([url for url in loaded if url.endswith(".js")]) <= 12


def test_nothing_is_lost_without_scripts(site, opened):
    page = opened(site.parent / "layers" / "conv1.html", java_script_enabled=False)
    assert len(shown(page)) == 12
    assert not page.is_visible("#controls")
    go(page, "#units li:nth-child(3) a")
    go(page, "a[rel=next]")
    assert page.url.endswith("/units/conv1/3.html")


@pytest.mark.parametrize(
    "place", ["index.html", "layers/conv1.html", "units/conv1/3.html", "search.html"]
)
@pytest.mark.parametrize("which", ["site", "nasty_site"])
def test_pages_are_as_wide_as_the_window(which, place, opened, request):
    folder = request.getfixturevalue(which).parent
    for width in (320, 700, 1440):
        page = opened(folder / place, viewport={"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (place, width)


@pytest.mark.parametrize(
    "place", ["index.html", "layers/conv1.html", "units/conv1/3.html", "search.html"]
)
def test_all_can_be_named_and_reached(site, opened, place):
    page = opened(site.parent / place)
    unnamed = page.evaluate("""() => [...document.querySelectorAll("a, button, input, select, img")]
        .filter((e) => !e.closest("dialog") && !(e.tagName === "IMG" && e.hasAttribute("alt")) &&
            !e.getAttribute("aria-label") && !e.textContent.trim() && !e.labels?.length)
        .map((e) => e.outerHTML)""")
    assert unnamed == []
    assert page.locator("main").count() == 1
    assert page.locator("h1").count() == 1
    if place == "search.html":
        assert page.evaluate("document.activeElement.id") == "query"
        return
    page.keyboard.press("Tab")
    assert page.inner_text(":focus") == "Skip to the content"
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_it_runs_from_a_folder_of_a_strange_name(tmp_path, opened):
    folder = tmp_path / "50% #1 ?\u00e9 \u202e'&"
    index = write(atlas(folder, layers=2, units=3), folder)
    page = opened(index)
    go(page, "table.layers a")
    go(page, "#units a")
    page.keyboard.press("/")
    page.keyboard.type("conv1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html#q=conv1")
    assert len(found(page)) == 3
    until(page, "[...document.images].every((i) => i.naturalWidth > 0)")
