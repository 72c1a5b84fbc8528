"""What is kept of an explanation beside its pictures: plain values, and lines for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.cli.columns import in_columns

if TYPE_CHECKING:
    from phosphene.saliency.result import Explanation

Record = dict[str, Any]


def record_of(file: Path, explanation: Explanation) -> Record:
    """Put what a script may want to know of one photograph's explanation into plain values.

    Args:
        file: The photograph.
        explanation: Its explanation, alone in its batch.
    """
    signals = []
    for saliency in explanation:
        peak = int(saliency.map[0, 0].nan_to_num().flatten().argmax())
        width = saliency.map.shape[-1]
        signals.append(
            {
                "rule": saliency.rule.name,
                "to": saliency.to or "image",
                "unit": saliency.unit_name(0, explanation.labels),
                "channel": int(saliency.channel[0]),
                "at": saliency.at[0].tolist(),
                "score": float(saliency.score[0]),
                "peak": [peak // width, peak % width],
                "empty": bool(saliency.empty[0]),
                "census": str(saliency.census),
            }
        )
    top = explanation.top[0] if explanation.top else ()
    return {
        "photograph": str(file),
        "layer": explanation.layer,
        "classes": [{"name": name, "probability": p} for name, p in top],
        "signals": signals,
        "warnings": list(explanation.warnings),
        "facts": dict(explanation.facts),
    }


def lines_of(records: Iterable[Record], names: dict[str, str]) -> list[str]:
    """Say for each photograph, in columns, what was predicted and which units were explained.

    Args:
        records: What was kept.
        names: What to call each photograph.
    """
    rows = []
    for record in records:
        name = names.get(record["photograph"], Path(record["photograph"]).name)
        best = next(iter(record["classes"]), None)
        seen = f"{best['name'].split(',')[0]} {best['probability']:.1%}" if best else ""
        units = dict.fromkeys((s["unit"], s["score"]) for s in record["signals"])
        for unit, score in units:
            rows.append((name, seen, f"{unit}, {score:.3g}", record.get("panel", "")))
            name = seen = ""
    return in_columns(rows)


def names_of(files: Sequence[Path]) -> dict[str, str]:
    """Call files by their names, and those of one name by as much of their path as tells them.

    >>> names_of([Path("a/x.jpg"), Path("b/x.jpg"), Path("b/y.jpg")])
    {'a/x.jpg': 'a/x.jpg', 'b/x.jpg': 'b/x.jpg', 'b/y.jpg': 'y.jpg'}
    """
    names = {}
    left = list(files)
    depth = 1
    while left:
        called = ["/".join(file.parts[-depth:]) for file in left]
        shared = {name for name in called if called.count(name) > 1} if len(left) > 1 else set()
        clear = [i for i, name in enumerate(called) if name not in shared]
        clear += [i for i in range(len(left)) if i not in clear and len(left[i].parts) <= depth]
        names.update({str(left[i]): called[i] for i in clear})
        left = [file for i, file in enumerate(left) if i not in set(clear)]
        depth += 1
    return {str(file): names[str(file)] for file in files}
