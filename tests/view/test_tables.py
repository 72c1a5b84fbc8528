import csv
import io
import math
import re

import numpy as np
import pytest

from phosphene.panel import Table
from phosphene.view.tables import Shown, to_csv, to_latex, to_markdown
from tests.view.panels import NASTY, scores


def column(*values):
    return [row[1] for row in Shown.of(Table("", ("a", "b"), tuple(("n", v) for v in values))).rows]


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((1, 20, 300), ["1", "20", "300"]),
        ((1.0, 2.5), ["1.0", "2.5"]),
        ((0.5, 0.25, None), ["0.50", "0.25", "–"]),  # noqa: RUF001
        ((0.12345, 12.5, -0.05), ["0.123", "12.500", "-0.050"]),
        ((1 / 3,), ["0.333"]),
        ((0.0, 0.0), ["0", "0"]),
        ((1e-7, 2.5e-3), ["1.00e-07", "2.50e-03"]),
        ((123456.789, 1.0), ["123456.8", "1.0"]),
        ((12345678.9, 1.0), ["1.23e+07", "1.00e+00"]),
        ((math.nan, math.inf, -math.inf, 1.5), ["NaN", "∞", "-∞", "1.5"]),
        ((np.float32(0.5), np.int64(3)), ["0.5", "3.0"]),
        ((True, "x", 2), ["True", "x", "2"]),
        ((), []),
    ],
)
def test_a_column_has_one_format(values, texts):
    assert column(*values) == texts


def test_columns_of_numbers_stand_right():
    assert Shown.of(scores()).right == (False, True, True, False)
    assert Shown.of(Table("", ("a", "b"), ((None, 1.0), (None, None)))).right == (False, True)


def test_holes_are_filled():
    shown = Shown.of(Table("", ("a", "b"), (("x",), ("y", 1, 2))))
    assert shown.columns == ("a", "b", "")
    assert [len(row) for row in shown.rows] == [3, 3]


def test_minus_signs_are_for_looking_at():
    shown = Shown.of(scores())
    assert shown.rows[1][2] == "-0.25"
    assert shown.typeset[1][2] == "\N{MINUS SIGN}0.25"
    assert Shown.of(Table("", ("a",), (("a-b",),))).typeset == (("a-b",),)


def test_markdown():
    assert to_markdown(scores()).splitlines() == [
        "**scores**",
        "",
        "| layer | units | score | remark |",
        "| ----- | ----: | ----: | ------ |",
        "| conv1 |    64 |  0.50 | –      |",  # noqa: RUF001
        "| conv2 |   192 | -0.25 | a      |",
        "| conv3 |     7 |     – | b      |",  # noqa: RUF001
        "",
        "of nobody knows what",
    ]


def test_markdown_is_escaped():
    table = Table(NASTY, ("a|b", "`c`"), (("x\ny", "<b> & *z* [l](m)"),), "_n_")
    text = to_markdown(table)
    assert len(text.splitlines()) == 7
    assert r"| a\|b | \`c\`" in text
    assert r"| x y  | &lt;b&gt; &amp; \*z\* \[l\](m) |" in text
    assert not re.search(r"<\w|</", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}


def test_latex():
    assert to_latex(scores()).splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{scores}",
        r"\begin{tabular}{lrrl}",
        r"\toprule",
        r"layer & units & score & remark \\",
        r"\midrule",
        r"conv1 & 64 & 0.50 & -- \\",
        r"conv2 & 192 & $-$0.25 & a \\",
        r"conv3 & 7 & -- & b \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip{\footnotesize of nobody knows what}",
        r"\end{table}",
    ]


def test_latex_is_escaped():
    table = Table("50 % & $x_1$", ("a#", r"\input{x}"), (("[*]", '~^<>|"'), ("{", 1e-9)))
    text = to_latex(table)
    assert r"\caption{50 \% \& \$x\_1\$}" in text
    assert r"a\# & \textbackslash{}input\{x\} \\" in text
    assert r"{[}{*}{]} & \textasciitilde{}\textasciicircum{}\textless{}\textgreater{}" in text
    assert text.count("{") - text.count(r"\{") == text.count("}") - text.count(r"\}")
    tiny = to_latex(Table("", ("a", "b"), (("x", 1.5e-9), ("y", -2e7))))
    assert r"$1.50 \times 10^{-9}$" in tiny
    assert r"$-2.00 \times 10^{7}$" in tiny
    assert r"\caption" not in tiny


def test_csv_round_trip():
    rows = (("a,b", 1 / 3, None), ('say "x"', 10**18 + 1, -1e-300), ("two\nlines", 0.1, 2))
    text = to_csv(Table("t", ("name", "x", "y"), rows, "note"))
    head, *body = csv.reader(io.StringIO(text))
    assert head == ["name", "x", "y"]
    assert [row[0] for row in body] == ["a,b", 'say "x"', "two\nlines"]
    assert [float(row[1]) for row in body] == [1 / 3, 1e18, 0.1]
    assert body[1][1] == "1000000000000000001"
    assert [row[2] for row in body] == ["", "-1e-300", "2"]


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\N{FULLWIDTH EQUALS SIGN}1"]
)
def test_csv_holds_no_formulas(text):
    table = Table("t", (text, "b"), ((text, -1.0),))
    for name, _ in csv.reader(io.StringIO(to_csv(table), newline="")):
        assert name == f"'{text}".replace("\r", "\n")
    assert to_csv(table).endswith(",-1.0\n")


@pytest.mark.parametrize("write", [to_markdown, to_latex, to_csv])
@pytest.mark.parametrize("table", [Table("", (), ()), Table("t", ("a",), ()), Table("", (), ((),))])
def test_empty_tables_are_written(write, table):
    assert write(table).endswith("\n")
