"""The page of a folder of results. It shows the pictures beside it, however many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from urllib.parse import quote

from phosphene.cli.records import Record

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ max-width: 1260px; margin: 0 auto; padding: 2rem 1.5rem 4rem; overflow-wrap: anywhere;
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }}
h1 {{ font-size: 1.65rem; font-weight: 600; }}
h2 {{ font-size: 1rem; font-weight: 600; margin: 0 0 .4em; }}
section {{ margin: 0 0 1.9em; content-visibility: auto; contain-intrinsic-size: auto 420px; }}
img {{ max-width: 100%; height: auto; background: #fff; }}
.failed {{ padding: .4em .8em; border-left: 3px solid #c2453d; background: #c2453d1a; }}
th, td {{ text-align: start; vertical-align: top; padding: .25em 1.4em .25em 0;
  border-bottom: 1px solid #8884; font-weight: 400; }}
th {{ opacity: .75; white-space: nowrap; }}
</style>
</head>
<body>
<h1>{title}</h1>
{failed}
{sections}
<table>
{facts}
</table>
</body>
</html>
"""


def index_page(
    records: Sequence[Record], names: Mapping[str, str], failed: Mapping[str, str]
) -> str:
    """Write the page of a folder.

    Args:
        records: What was kept of each photograph, with the name of its picture under `panel`.
        names: What to call each photograph.
        failed: What could not be explained and why, by file.
    """
    count = "1 photograph" if len(records) == 1 else f"{len(records)} photographs"
    facts = records[0]["facts"] if records else {}
    where = facts.get("network", ""), records[0]["layer"] if records else ""
    title = ", ".join(part for part in (*where, count) if part)
    sections = [_section(record, names.get(record["photograph"], "")) for record in records]
    return _PAGE.format(
        title=_text(title),
        failed="\n".join(f'<p class="failed">{_text(message)}</p>' for message in failed.values()),
        sections="\n".join(sections),
        facts="\n".join(
            f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>"
            for name, value in facts.items()
        ),
    )


def _section(record: Record, name: str) -> str:
    best = next(iter(record["classes"]), None)
    seen = f": {best['name']}, {best['probability']:.1%}" if best else ""
    about = "; ".join(dict.fromkeys(signal["unit"] for signal in record["signals"]))
    picture = quote(record["panel"], errors="surrogateescape")
    return (
        f'<section><h2>{_text(name + seen)}</h2><a href="{picture}">'
        f'<img loading="lazy" src="{picture}" alt="{_text(about)}"></a></section>'
    )


def _text(value: object) -> str:
    # File names that are no UTF-8 must not break the page.
    return escape(str(value).encode(errors="replace").decode())
