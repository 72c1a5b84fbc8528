"""Tables as text: for a page of Markdown, for a paper, and as plain data.

To be read, the numbers of a column share one format: as many decimals as show three digits of a
typical one and two of the smallest, but no more than they have, and powers of ten where they differ
by too much. As data they keep all their digits.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

from phosphene.panel import Table
from phosphene.view.typeset import single_line

NOTHING = "\u2013"
_MARKS = re.compile(r"([\\`*_\[\]{}|~$#])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "&": r"\&",
    "^": r"\textasciicircum{}", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "[": "{[}", "]": "{]}", "*": "{*}", "\u2013": "--", "\u2014": "---", "…": r"\dots{}",
    "°": r"$^\circ$", "±": r"$\pm$", "\u00d7": r"$\times$", "·": r"$\cdot$", "\u2212": "$-$",
    "∞": r"$\infty$", "≤": r"$\le$", "≥": r"$\ge$", "\u03b1": r"$\alpha$", "β": r"$\beta$",
    "λ": r"$\lambda$", "φ": r"$\varphi$", "\u03c3": r"$\sigma$",
}  # fmt: skip
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
_LONGEST = 6
"""Digits before the point, and after it, of a number written without a power of ten."""

Cell = str | float | None


@dataclass(frozen=True)
class Shown:
    """A table ready to be read: a text for every cell.

    Attributes:
        columns: Names of the columns, each on one line.
        rows: Texts of the cells, as many in every row as there are columns.
        right: Which columns are of numbers, and stand flush right.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]

    @property
    def typeset(self) -> tuple[tuple[str, ...], ...]:
        """The rows with a true minus sign, to be looked at rather than copied."""
        return tuple(
            tuple(
                t.replace("-", "\u2212") if r else t for t, r in zip(row, self.right, strict=True)
            )
            for row in self.rows
        )

    @classmethod
    def of(cls, table: Table) -> Shown:
        """Give every cell its text."""
        names, rows = _squared(table)
        columns = [[row[k] for row in rows] for k in range(len(names))]
        right = tuple(
            any(_is_number(c) for c in column) and not any(isinstance(c, str) for c in column)
            for column in columns
        )
        texts = [_texts(column) for column in columns]
        across = tuple(zip(*texts, strict=True)) if texts and rows else ()
        return cls(tuple(single_line(name) for name in names), across, right)


def to_markdown(table: Table) -> str:
    """Write a table as GitHub-flavored Markdown, its columns aligned in the source as well."""
    shown = Shown.of(table)
    lines = [[_markdown(text) for text in line] for line in (shown.columns, *shown.rows)]
    widths = [max(3, *(len(line[k]) for line in lines)) for k in range(len(shown.columns))]
    rule = [
        "-" * (w - 1) + ":" if right else "-" * w
        for w, right in zip(widths, shown.right, strict=True)
    ]
    lines.insert(1, rule)
    text = "\n".join("| " + " | ".join(_justified(line, widths, shown)) + " |" for line in lines)
    above = f"**{_markdown(single_line(table.title))}**\n\n" if table.title.strip() else ""
    below = f"\n{_markdown(single_line(table.note))}\n" if table.note.strip() else ""
    return f"{above}{text}\n{below}"


def to_latex(table: Table) -> str:
    r"""Write a table for LaTeX, which needs `\usepackage{booktabs}` and `[T1]{fontenc}`."""
    shown = Shown.of(table)
    head, *body = (
        " & ".join(_latex(text, right) for text, right in zip(line, rights, strict=True)) + r" \\"
        for line, rights in (
            (shown.columns, (False,) * len(shown.columns)),
            *((row, shown.right) for row in shown.rows),
        )
    )
    kinds = "".join("r" if right else "l" for right in shown.right)
    caption = [rf"\caption{{{_latex(single_line(table.title))}}}"] if table.title.strip() else []
    note = [rf"\par\smallskip{{\footnotesize {_latex(single_line(table.note))}}}"]
    lines = [
        r"\begin{table}", r"\centering", *caption, rf"\begin{{tabular}}{{{kinds}}}", r"\toprule",
        head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}",
        *(note if table.note.strip() else []), r"\end{table}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def to_csv(table: Table) -> str:
    """Write a table as CSV: numbers with all their digits, nothing for what was not measured.

    A text that a spreadsheet would run as a formula is preceded by an apostrophe.
    """
    names, rows = _squared(table)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([_harmless(name) for name in names])
    writer.writerows([_exact(cell) for cell in row] for row in rows)
    return file.getvalue()


def _squared(table: Table) -> tuple[list[str], list[list[Cell]]]:
    """Fill up what is short: a result is shown even where its table has a hole."""
    width = max([len(table.columns), *(len(row) for row in table.rows)])
    names = [*map(str, table.columns), *[""] * (width - len(table.columns))]
    return names, [[*row, *[None] * (width - len(row))] for row in table.rows]


def _is_number(cell: Cell) -> bool:
    return isinstance(cell, Real) and not isinstance(cell, bool)


def _texts(column: Sequence[Cell]) -> list[str]:
    numbers = [float(cell) for cell in column if cell is not None and _is_number(cell)]
    write = _format([abs(number) for number in numbers if math.isfinite(number)])

    def text(cell: Cell) -> str:
        if cell is None:
            return NOTHING
        if isinstance(cell, str) or not _is_number(cell):
            return single_line(str(cell))
        number = float(cell)
        if math.isnan(number):
            return "NaN"
        if math.isinf(number):
            return "∞" if number > 0 else "-∞"
        return write(number)

    return [text(cell) for cell in column]


def _format(sizes: Sequence[float]) -> Callable[[float], str]:
    """Choose one way of writing for numbers of these magnitudes."""
    if all(size == int(size) for size in sizes) and max(sizes, default=0) < 1e9:
        return lambda number: f"{number:.0f}"
    some = sorted(size for size in sizes if size)
    low, middle, high = (
        math.floor(math.log10(some[k])) for k in (0, (len(some) - 1) // 2, len(some) - 1)
    )
    decimals = min(max(0, 2 - middle, 1 - low), _LONGEST - max(high, 0))
    if high >= _LONGEST or decimals < -low:
        return lambda number: f"{number:.2e}"
    while decimals and all(f"{size:.{decimals}f}".endswith("0") for size in some):
        decimals -= 1
    return lambda number: f"{number:.{decimals}f}"


def _justified(line: Sequence[str], widths: Sequence[int], shown: Shown) -> list[str]:
    return [
        text.rjust(width) if right else text.ljust(width)
        for text, width, right in zip(line, widths, shown.right, strict=True)
    ]


def _markdown(text: str) -> str:
    text = "".join(_ENTITIES.get(letter, letter) for letter in text)
    return _MARKS.sub(r"\\\1", text)


def _latex(text: str, number: bool = False) -> str:
    power = re.fullmatch(r"(-?[\d.]+)e([+-]\d+)", text) if number else None
    if power:
        return rf"${power[1]} \times 10^{{{int(power[2])}}}$"
    if number and text.startswith("-"):
        return rf"$-${_latex(text[1:])}"
    return "".join(_LATEX.get(letter, letter) for letter in text)


def _exact(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str) or not _is_number(cell):
        return _harmless(str(cell))
    return str(int(cell)) if isinstance(cell, Integral) else repr(float(cell))


def _harmless(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # which the csv module would not quote
    return f"'{text}" if text.startswith(_FORMULA) else text
