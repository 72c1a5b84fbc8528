"""Votes, counted by hand."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

from phosphene.errors import FormatError
from phosphene.studies.ballots import read_votes
from phosphene.studies.votes import votes, wilson

COLUMNS = "subject order photograph layer depth left right winner seconds seed page".split()


def answer(order: int, winner: str = "left", left: str = "1", right: str = "none", **more: Any):  # type: ignore[no-untyped-def]
    base = {"subject": "ann", "order": order, "photograph": "a.png", "layer": "fc8", "depth": 1}
    base |= {"left": left, "right": right, "winner": winner, "seconds": 2.5, "seed": 7, "page": "p"}
    return base | more


def practice(**more: Any) -> list[dict[str, Any]]:
    return [answer(order, "right", **more) for order in range(1, 6)]


def as_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


def as_json(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps({"format": "phosphene-votes", "votes": rows}))
    return path


def rates(found: Any) -> dict[tuple[str, str], tuple[int, int]]:
    return {(r["layer"], r["condition"]): (r["won"], r["shown"]) for r in found.data["rates"]}


@pytest.mark.parametrize("write", [as_csv, as_json])
def test_rates(tmp_path: Path, write: Any) -> None:
    rows = [
        *practice(),
        answer(6),  # 1 beats none
        answer(7, "right", left="none", right="100"),  # 100 beats none
        answer(8, "left", left="1", right="100"),  # 1 beats 100
        answer(9, "skip", left="1", right="100"),
        answer(10, "right", left="1", right="100"),  # 100 beats 1
        answer(11, "left", layer="pool1", depth=0),
    ]
    found = votes([write(tmp_path / "votes", rows)])
    assert rates(found) == {
        ("pool1", "none"): (0, 1), ("pool1", "1"): (1, 1),
        ("fc8", "none"): (0, 2), ("fc8", "100"): (2, 3), ("fc8", "1"): (2, 3),
    }  # fmt: skip
    # By depth, and from no regulariser to the strongest.
    assert [row[:2] for row in found.tables[0].rows] == list(rates(found))
    row = next(r for r in found.data["rates"] if r["condition"] == "100")
    assert row["rate"] == pytest.approx(2 / 3)
    assert row["half_width"] == pytest.approx(1.96 * math.sqrt(2 / 9 / 3))
    assert row["wilson"] == pytest.approx(wilson(2, 3))
    assert found.data["skipped"] == {"fc8": 1}
    assert found.data["counted"] == 5
    assert found.data["read"] == 11
    assert {"layer": "fc8", "winner": "1", "loser": "100", "count": 1} in found.data["duels"]
    (plot,) = found.plots
    assert plot.kind == "bars"
    assert [series.name for series in plot.series] == ["no regulariser", "C = 100", "C = 1"]
    assert plot.series[0].x == ("pool1", "fc8")
    assert plot.series[1].x == ("fc8",)
    assert plot.series[1].spread == (pytest.approx(row["half_width"]),)
    assert found.warnings == ()
    assert found.facts["could not tell"] == "1"


def test_the_first_five_of_every_subject_are_dropped(tmp_path: Path) -> None:
    rows = []
    for subject, seed in (("ann", 1), ("bob", 2), ("ann", 3)):
        mine = [answer(n, subject=subject, seed=seed) for n in range(1, 8)]
        rows += mine[::-1]  # the order is what counts, not the place in the file
    found = votes([as_csv(tmp_path / "votes.csv", rows)])
    assert found.data["subjects"] == 3
    assert found.data["counted"] == 6
    assert rates(found)["fc8", "1"] == (6, 6)
    everything = votes([tmp_path / "votes.csv"], drop=0)
    assert everything.data["counted"] == 21


def test_a_sitting_in_two_files_counts_once(tmp_path: Path) -> None:
    rows = [answer(n) for n in range(1, 9)]
    files = [as_csv(tmp_path / "a.csv", rows[:7]), as_json(tmp_path / "b.json", rows)]
    found = votes(files)
    assert found.data["counted"] == 3
    assert found.warnings == ()
    changed = as_csv(tmp_path / "c.csv", [answer(8, "right")])
    found = votes([*files, changed])
    assert rates(found)["fc8", "1"] == (3, 3)
    assert found.warnings == (
        f"{changed}, line 2: ann answered pair 8 twice, differently; the first answer read counts",
    )


def test_bad_lines_are_named_and_left_out(tmp_path: Path) -> None:
    rows = [
        *practice(), answer(6), answer("x"), answer(0), answer(7, winner="both"),
        answer(8, left="1", right="1"), answer(9, subject=""), answer(10, seconds="inf"),
        answer(11, layer="a\nb"),
    ]  # fmt: skip
    path = as_csv(tmp_path / "votes.csv", rows)
    found = votes([path])
    assert found.data["counted"] == 3
    assert [w.removeprefix(f"{path}, ") for w in found.warnings] == [
        "line 8: order 'x' is no number of a pair; left out",
        "line 9: order '0' is no number of a pair; left out",
        "line 10: winner 'both' is none of left, right, skip; left out",
        "line 11: both pictures are of condition '1'; left out",
        "line 12: there is no subject; left out",
    ]
    path = as_json(tmp_path / "votes.json", [*practice(), answer(6), 3, answer(7, winner=None)])  # type: ignore[list-item]
    assert [w.removeprefix(f"{path}, ") for w in votes([path]).warnings] == [
        "vote 7: there is no subject; left out",
        "vote 8: there is no winner; left out",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "names no subject, order"),
        (b"a,b\n1,2\n", "its first line names no subject"),
        (b'{"votes": 3}', "holds no list of votes"),
        (b"[1, 2", "damaged JSON"),
        (b"[" * 100_000, "damaged JSON"),
        (b"\xff\xfe\x00", "is no text"),
        (b"[]", "there are no votes in"),
        (b"subject,order,photograph,layer,left,right,winner\n", "there are no votes in"),
    ],
)
def test_what_is_no_vote_file(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "votes"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=words):
        votes([path])


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="there are no votes in no file"):
        votes([])
    for path in (tmp_path / "nix.csv", tmp_path):
        with pytest.raises(FormatError, match="cannot be read"):
            votes([path])


def test_doubts(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "v.csv", [*practice(), *practice(page="q")])
    found = votes([path], ["fc8", "conv9"])
    assert found.data["rates"] == []
    assert found.plots == ()
    assert [warning[:30] for warning in found.warnings] == [
        "there is no vote on layer 'con", "the votes come from 2 differen",
        "no vote is left to count: of e",
    ]  # fmt: skip
    assert found.save(tmp_path / "out").exists()


def test_layers_can_be_chosen_and_ordered(tmp_path: Path) -> None:
    rows = [*practice()]
    rows += [answer(6 + n, layer=f"conv{n}", depth="") for n in (10, 2, 1)]
    path = as_csv(tmp_path / "v.csv", rows)
    assert [row[0] for row in votes([path]).tables[0].rows[::2]] == ["conv1", "conv2", "conv10"]
    chosen = votes([path], ["conv10", "conv1"])
    assert [row[0] for row in chosen.tables[0].rows[::2]] == ["conv10", "conv1"]


def test_hostile_names_are_escaped(tmp_path: Path) -> None:
    nasty = "<script>alert(1)</script>"
    rows = [answer(n, subject=nasty, layer=nasty, left=nasty) for n in range(1, 9)]
    page = votes([as_json(tmp_path / "v.json", rows)]).save(tmp_path / "out")
    assert nasty not in page.read_text()


def test_wilson() -> None:
    """Newcombe, Statistics in Medicine 17 (1998), table I."""
    for won, shown, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605),
                                  (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)):  # fmt: skip
        assert wilson(won, shown) == (pytest.approx(low, abs=6e-5), pytest.approx(high, abs=6e-5))


def test_reading_what_spreadsheets_save(tmp_path: Path) -> None:
    path = as_csv(tmp_path / "v.csv", [answer(1, seconds="", seed="", page="")])
    path.write_text("\ufeff" + path.read_text(), encoding="utf-8")
    ((vote,), wrong) = read_votes([path])
    assert wrong == []
    assert (vote.seconds, vote.seed, vote.depth) == (None, "", 1)
