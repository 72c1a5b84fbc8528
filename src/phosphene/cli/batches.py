"""Photographs through a network in batches, one result or one error for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.errors import ImageError, PhospheneError, out_of_memory

if TYPE_CHECKING:
    from phosphene.core.attention import Rule
    from phosphene.core.network import Network
    from phosphene.core.unit import Unit
    from phosphene.saliency.result import Explanation


@dataclass(frozen=True)
class Asked:
    """What to explain, and how.

    Attributes:
        units: Where to start; empty for the strongest unit or the predicted class.
        rules: Which reversed networks and rules of attention; empty for the usual three.
        layer: Layer of the units; `None` for the class scores.
        to: Inner layer to stop at; `None` for the image.
        whole: Whether the network is shown whole photographs.
        ten_crop: Whether maps are averaged over ten crops.
    """

    units: tuple[Unit, ...] = ()
    rules: tuple[Rule, ...] = ()
    layer: str | None = None
    to: str | None = None
    whole: bool = False
    ten_crop: bool = False


def explained(
    network: Network, files: Sequence[Path], asked: Asked, batch: int, note: Callable[[str], None]
) -> Iterator[tuple[Path, Explanation | PhospheneError]]:
    """Explain files in batches.

    What goes wrong with a batch is tried again photograph by photograph, so that one of them
    cannot spoil the rest; where memory ends, batches become smaller.

    Args:
        network: The network.
        files: The photographs.
        asked: What to explain.
        batch: How many to run together.
        note: Takes a sentence that a person should read meanwhile.

    Yields:
        Each file, in order, with its explanation or what went wrong with it.
    """
    left = list(files)
    while left:
        chunk = left[: 1 if asked.ten_crop else batch]
        try:
            results = _together(network, chunk, asked)
        except (PhospheneError, MemoryError, RuntimeError) as error:
            short = out_of_memory(error)
            if not short and not isinstance(error, PhospheneError):
                raise
            if len(chunk) > 1:
                if short:
                    batch = len(chunk) // 2
                    less = f"going on by {batch} (--batch {batch})"
                    note(f"memory ends at {len(chunk)} photographs together: {less}")
                else:
                    for file in chunk:
                        yield from explained(network, [file], asked, 1, note)
                    left = left[len(chunk) :]
                continue
            results = [_of_one(chunk[0], error, short)]
        yield from zip(chunk, results, strict=True)
        left = left[len(chunk) :]


def _together(
    network: Network, files: Sequence[Path], asked: Asked
) -> list[Explanation | PhospheneError]:
    from phosphene.saliency.explain import explain_many
    from phosphene.saliency.ten_crop import ten_crop

    units, rules = asked.units or None, asked.rules or None
    if asked.ten_crop:
        class_ = asked.units[0].name if asked.units else None
        try:
            found = ten_crop(network, files[0], class_, rules)
        except ImageError as error:
            return [error]
        return [found]
    unread: dict[Path, PhospheneError] = {}
    good = explain_many(
        network,
        files,
        units,
        rules,
        layer=asked.layer,
        to=asked.to,
        whole=asked.whole,
        batch=len(files),
        on_error=unread.__setitem__,
    )
    # All at once, as an error halfway must not leave some of them done.
    done = iter(list(good))
    return [unread[file] if file in unread else next(done) for file in files]


def _of_one(file: Path, error: BaseException, short: bool) -> PhospheneError:
    if short:
        return ImageError(
            f"{file} needs more memory than there is: leave out --whole, or ask for fewer units"
        )
    assert isinstance(error, PhospheneError)
    return error
