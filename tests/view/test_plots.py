import math
import re
import subprocess
import sys
import threading
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest

from phosphene.panel import Plot, Series
from phosphene.view.diagram import WIDTH, figure
from phosphene.view.look import Look, drawing
from phosphene.view.plots import plot_image, plot_svg
from phosphene.view.points import points
from tests.view.panels import NASTY, energy, errors, nasty_numbers

SVG = "{http://www.w3.org/2000/svg}"
NAN = math.nan


def bars(*heights, **options):
    return Plot(
        "t", (Series("", tuple("abcdef"[: len(heights)]), heights),), kind="bars", **options
    )


def colored(plot, number=0, tolerance=12):
    """Mark the pixels in the color of one series, below legend and title."""
    color = tuple(bytes.fromhex(Look.of(number).color[1:]))
    pixels = np.asarray(plot_image(plot, titled=False), int)
    return (abs(pixels - color) <= tolerance).all(-1)


def runs(mask):
    """Find (first, end) of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, mask, False]))
    return list(zip(edges[::2], edges[1::2], strict=True))


def drawn(plot):
    """Open a plot's axes, as far as they can be looked at after drawing."""
    with drawing():
        made = figure(plot, True)
    (axes,) = made.axes
    return made, axes


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_heights_of_bars_are_to_scale():
    mask = colored(bars(1.0, 3.0, 2.0))
    found = [int(mask[:, (a + b) // 2].sum()) for a, b in runs(mask.any(0))]
    assert len(found) == 3
    assert found[1] / found[0] == pytest.approx(3, rel=0.02)
    assert found[2] / found[0] == pytest.approx(2, rel=0.02)


def test_a_bar_below_zero_hangs_down():
    mask = colored(bars(1.0, -1.0))
    (a, b), (c, d) = runs(mask.any(0))
    up, down = mask[:, (a + b) // 2], mask[:, (c + d) // 2]
    assert np.flatnonzero(up).max() <= np.flatnonzero(down).min() + 3


def test_bars_of_a_logarithmic_axis_grow_by_decades():
    mask = colored(bars(0.01, 0.1, 1.0, log=True))
    a, b, c = (int(mask[:, (a + b) // 2].sum()) for a, b in runs(mask.any(0)))
    assert c - b == pytest.approx(b - a, abs=2)
    assert a > 20


def test_groups_stand_side_by_side():
    names = ("a", "b")
    series = tuple(Series(f"s{k}", names, (1.0 + k, 2.0 + k)) for k in range(3))
    plot = Plot("t", series, kind="bars")
    lefts = [runs(colored(plot, k)[200:].any(0))[-1][0] for k in range(3)]
    assert lefts == sorted(lefts)
    _, axes = drawn(plot)
    assert len(axes.patches) == 6


def test_a_rising_line_rises():
    mask = colored(Plot("t", (Series("", tuple(range(100)), tuple(range(100))),)))
    rows, columns = np.nonzero(mask)
    assert np.corrcoef(rows, columns)[0, 1] < -0.99


def test_markers_only_where_points_are_few():
    assert drawn(errors())[1].lines[0].get_marker() == "o"
    few, many = drawn(energy(20, 1))[1], drawn(energy(350, 1))[1]
    assert few.lines[0].get_marker() == "o"
    assert many.lines[0].get_marker() == "None"
    assert len(many.lines[0].get_xdata()) == 350


def test_error_bars_have_their_length():
    plot = Plot("t", (Series("s", (0.0, 1.0), (1.0, 2.0), (0.25, 0.5)),))
    (segments,) = [c.get_segments() for c in drawn(plot)[1].collections]
    assert [(s[0][1], s[1][1]) for s in segments] == [(0.75, 1.25), (1.5, 2.5)]


def test_many_error_bars_are_a_band():
    x = tuple(range(50))
    plot = Plot("t", (Series("s", x, (1.0,) * 50, (0.5,) * 50),))
    (band,) = drawn(plot)[1].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == (0.5, 1.5)


def test_lines_over_names_stand_apart_where_error_bars_would_hide_each_other():
    first, *_, last = points(errors())
    assert first.x[0] < 0 < last.x[0] < 0.3
    assert first.x[0] == pytest.approx(-last.x[0])
    bare = Plot("t", tuple(Series(s.name, s.x, s.y) for s in errors().series))
    assert points(bare)[0].x[0] == 0


def test_names_come_in_order_of_appearance():
    plot = Plot("t", (Series("", ("b", "a"), (1.0, 2.0)), Series("", ("c", "a"), (3.0, 4.0))))
    one, two = points(plot)
    assert (one.x, two.x) == ((0, 1), (2, 1))
    assert [label.get_text() for label in drawn(plot)[1].get_xticklabels()] == ["b", "a", "c"]


def test_what_is_no_number_is_left_out():
    series = (
        Series("holes", (0, 1, 2, 3, 4), (1.0, NAN, None, math.inf, 2.0)),
        Series("nothing", (0, 1), (NAN, None)),
    )
    plot = Plot("t", series)
    holes, nothing = points(plot)
    assert [math.isnan(y) for y in holes.y] == [False, True, True, True, False]
    assert holes.alone == [0, 4]
    assert nothing.empty
    made, axes = drawn(plot)
    assert [t.get_text() for t in made.legends[0].get_texts()] == ["holes", "nothing (no values)"]
    assert len(axes.lines) == 1


def test_a_point_between_holes_is_seen_also_without_markers():
    plot = Plot("t", (Series("", tuple(range(99)), (1.0, NAN, NAN) * 33),))
    assert len(runs(colored(plot).any(0))) == 33


def test_nothing_positive_on_a_logarithmic_axis():
    series = (Series("s", (0, 1, 2), (-1.0, 0.0, 1.0), (0.5, 0.5, 5.0)), Series("n", (0,), (0.0,)))
    one, two = points(Plot("t", series, log=True))
    assert math.isnan(one.y[0])
    assert math.isnan(one.y[1])
    assert two.empty
    assert "n (no values)" in texts(plot_svg(Plot("t", series, log=True)))


@pytest.mark.parametrize("kind", ["lines", "bars"])
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "series",
    [
        (),
        (Series("s", (), ()),),
        (Series("s", (1,), (2.0,)),),
        (Series("s", ("a", "b"), (NAN, NAN)),),
        (Series("s", (1, 1, 1), (0.0, 0.0, 0.0)),),
        (Series("s", (1, 2, 3), (1.0, 1 + 1e-12, 1.0)),),
        (Series("s", (1, 2, 3), (1e9, 1e9 + 1, 1e9)),),
        (Series("s", (1, 2, 3), (1e300, -1e300, 5e-324), (1e300, NAN, 1.0)),),
        (Series("s", (1, 2, 3), (1e190, 1e-190, 1.0)),),
        (Series("s", (1, 2, NAN), (1.0, 0.1, 0.01), (2.0, None, 0.01)),),
        (Series("s", ("a", "b"), (1, 2)), Series("n", (1, 2), (1, 2))),
        (Series("s", tuple(np.arange(3)), tuple(np.float32([1, 2, 3]))),),
        tuple(Series(f"s{k}", (0, 1), (k, k + 1)) for k in range(30)),
    ],
)
def test_odd_plots_are_drawn(series, kind, log):
    plot = Plot("t", series, "x", "y", kind, log)
    assert plot_image(plot, 1).width == WIDTH
    ElementTree.fromstring(plot_svg(plot))


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="zip"):
        plot_image(Plot("t", (Series("s", (1, 2), (1.0,)),)))


@pytest.mark.parametrize("number", [2, 5, 12, 60, 300])
@pytest.mark.parametrize(
    "name", ["fire{}/concat", "a long name {} of several words", "{}" + "°" * 70]
)
def test_names_neither_overlap_nor_leave_the_picture(number, name):
    names = tuple(name.format(k) for k in range(number))
    made, axes = drawn(Plot("t", (Series("s", names, (1.0,) * number),), "x", "y"))
    renderer = made.canvas.get_renderer()
    boxes = [label.get_window_extent(renderer) for label in axes.get_xticklabels()]
    assert min(box.x0 for box in boxes) >= 0
    assert min(box.y0 for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= WIDTH
    assert axes.xaxis.label.get_window_extent(renderer).y1 <= min(box.y0 for box in boxes) + 1
    if axes.get_xticklabels()[0].get_rotation() in (0, 90):
        ends = [(box.x0, box.x1) for box in boxes]
        assert all(a[1] <= b[0] for a, b in pairwise(ends))


@pytest.mark.parametrize("count", [1, 4, 12])
@pytest.mark.parametrize("name", ["s{}", "a name that is quite long {}", "x" * 200 + "{}"])
def test_the_legend_hides_nothing_and_is_whole(count, name):
    x = tuple(range(5))
    plot = Plot("t", tuple(Series(name.format(k), x, (1.0 + k,) * 5) for k in range(count)))
    made, axes = drawn(plot)
    renderer = made.canvas.get_renderer()
    box = made.legends[0].get_window_extent(renderer)
    assert box.x0 >= 0
    assert box.x1 <= WIDTH
    assert box.y0 >= axes.bbox.y1
    assert box.y1 <= made.texts[0].get_window_extent(renderer).y0 + 2


def test_no_two_series_look_alike():
    looks = [Look.of(k) for k in range(24)]
    assert len({(look.color, look.dash) for look in looks}) == 24
    assert len({(look.color, look.marker) for look in looks}) == 24
    assert len({(look.color, look.hatch) for look in looks}) == 24
    assert Look.of(0).dash == ()


def test_powers_of_ten():
    def labels(low, high):
        plot = Plot("t", (Series("", (0, 1), (low, high)),), log=True)
        return [text for text in texts(plot_svg(plot)) if text and re.match(r"[\d.·⁻]", text)]

    assert {"0.01", "0.1", "1", "10"} <= set(labels(0.01, 10))
    assert {"10⁻⁶", "10⁻⁵", "10⁻⁴"} <= set(labels(1e-6, 1e-4))
    assert {"2", "3", "4"} <= set(labels(2, 4))


def test_twice_as_many_pixels():
    once, twice = plot_image(errors(), 1), plot_image(errors())
    assert twice.mode == "RGB"
    assert twice.width == 2 * once.width == 2 * WIDTH
    assert twice.getpixel((0, 0)) == (255, 255, 255)
    assert plot_image(errors(), titled=False).height < twice.height


def test_svg_tells_what_it_shows():
    root = ElementTree.fromstring(plot_svg(errors()))
    assert root.get("role") == "img"
    assert root.get("aria-label") == root.find(f"{SVG}title").text == "error by layer"
    described = root.find(f"{SVG}desc").text
    assert described.startswith("horizontal: layer; vertical: relative error; lines: C = 1, C = 20")
    found = texts(plot_svg(errors()))
    assert {"error by layer", "layer", "relative error", "C = 300", "fire2/concat"} <= set(found)


def test_texts_of_svg_are_escaped():
    (plot, _), one_line = nasty_numbers().plots, " ".join(NASTY.split())
    for svg in (plot_svg(plot), plot_svg(plot, prefix="p")):
        root = ElementTree.fromstring(svg)
        assert not [e for e in root.iter() if "script" in e.tag]
        assert root.get("aria-label") == one_line
        assert one_line in [e.text for e in root]
        assert "<!--" not in svg


@pytest.mark.parametrize(
    "title", ["$\\frac{x$", "_a", "蒲公英 λ", "\ud800x", "a\0\x1b[3m", "x" * 900]
)
@pytest.mark.parametrize("kind", ["lines", "bars"])
def test_any_text_is_drawn(title, kind):
    series = (Series(title, (title, "b"), (1.0, 2.0)), Series("s", ("b",), (1.0,), (0.1,)))
    plot = Plot(title, series, title, title, kind)
    assert plot_image(plot, 1).width == WIDTH
    ElementTree.fromstring(plot_svg(plot).encode())


def test_formulas_are_plain_text():
    assert "$x_1$" in texts(plot_svg(Plot("t", (Series("s", (0, 1), (0, 1)),), "$x_1$")))


def test_svg_is_repeatable_and_names_no_date():
    plots = [errors, energy, lambda: bars(1.0, 2.0)]
    for make in plots:
        assert plot_svg(make()) == plot_svg(make())
        assert not re.search(r"<metadata|<style|date|[Mm]atplotlib", plot_svg(make()))


def test_ids_in_a_page_are_apart_and_all_found():
    svgs = [plot_svg(errors(), prefix=prefix) for prefix in ("a-", "b-")]
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in svgs]
    assert ids[0]
    assert not ids[0] & ids[1]
    for svg, own in zip(svgs, ids, strict=True):
        assert set(re.findall(r'(?:href="|url\()#([^")]+)', svg)) == own
        assert "xmlns" not in svg
        assert not re.search(r"<svg[^>]* (width|height)=", svg)


def test_nothing_global_is_changed(monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "axes.facecolor", "red")
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 40.0)
    before = dict(matplotlib.rcParams.copy())
    image, svg = plot_image(errors()), plot_svg(errors())
    assert dict(matplotlib.rcParams.copy()) == before
    monkeypatch.undo()
    assert plot_image(errors()).tobytes() == image.tobytes()
    assert plot_svg(errors()) == svg


def test_threads_give_the_settings_back():
    before, found = dict(matplotlib.rcParams.copy()), []
    work = [threading.Thread(target=lambda: found.append(plot_svg(errors()))) for _ in range(4)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert found == [plot_svg(errors())] * 4
    assert dict(matplotlib.rcParams.copy()) == before


def test_pyplot_stays_away():
    code = (
        "import sys, phosphene.view; assert 'matplotlib' not in sys.modules\n"
        "from phosphene.panel import Plot; from phosphene.view.plots import plot_image, plot_svg\n"
        "plot_image(Plot('t', ())); plot_svg(Plot('t', ()))\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
