"""Deformable part models as voc-release files hold them: HOG filters, roots and parts.

A model is a grammar of symbols. The start symbol has a rule for each component (a view of the
object); its right side names the root and then the parts. A terminal symbol is a filter; the
others, which have one deformation rule, lead to one. Release 5 keeps all weights in `blocks`, and
a filter of the other half of a mirrored pair is the mirrored block; release 4 keeps each filter's
own `w`, mirrored already.

```text
model.rules{start}(c)    rhs, anchor{i} = [x y octaves], offset     component c
model.rules{s}(1)        'D', rhs = terminal                        part s, movable
model.symbols(t)         'T', filter                                terminal t
model.filters(f)         blocklabel, flip   or   w                  filter f
model.blocks(b)          w, shape                                   block b
```

Numbers count from 1 there. What moving a part costs, and everything else, is passed over.

*Reference.* Girshick, Felzenszwalb & McAllester, "Discriminatively trained deformable part models,
release 5", 2012: the functions `model_add_*`, `model_get_block` and `flipfeat`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from phosphene.errors import FormatError
from phosphene.formats.matconvnet_file import Struct
from phosphene.formats.matconvnet_mat5 import DamagedMat, read_variables

Weights = NDArray[np.float32]
Fields = dict[str, Any]
Item = TypeVar("Item")

DEPTHS = (31, 32)
_DIRECTED, _UNDIRECTED = 18, 9
_LARGEST = 1e30
_LARGEST_CELL, _FARTHEST = 256, 1000


@dataclass(frozen=True, eq=False)
class DpmPart:
    """A part.

    Attributes:
        weights: (h, w, 31 or 32), at twice the root's resolution.
        anchor: (x, y) of its upper left cell where it rests, in cells of its resolution from the
            upper left cell of the root.
    """

    weights: Weights
    anchor: tuple[int, int]


@dataclass(frozen=True, eq=False)
class DpmComponent:
    """A view of the object.

    Attributes:
        root: (h, w, 31 or 32).
        parts: Its parts.
        bias: What the score begins with.
    """

    root: Weights
    parts: tuple[DpmPart, ...]
    bias: float


@dataclass(frozen=True, eq=False)
class DpmModel:
    """A deformable part model.

    Attributes:
        name: The class it was trained for.
        components: Views of the object.
        cell: Side of a cell, pixels.

    *Channels.* 18 directed orientations, 9 undirected, 4 textures, and in release 4 and 5 one for
    what is cut off by the image's border. Orientation k is the angle 20 k degrees from +x towards
    +y, y down, as in VLFeat; textures are in the order of the blocks lower right, upper right,
    lower left, upper left, the opposite of VLFeat's.
    """

    name: str
    components: tuple[DpmComponent, ...]
    cell: int


def mirror_order(depth: int = 32) -> list[int]:
    """Return which channel each channel of DPM's features becomes in a mirror.

    A mirror takes the angle a to pi - a: directed orientation k to (9 - k) mod 18, undirected k to
    -k mod 9, and swaps left and right textures.

    >>> mirror_order()[:3], mirror_order()[18:20], mirror_order()[27:]
    ([9, 8, 7], [18, 26], [29, 30, 27, 28, 31])
    """
    directed = [(_DIRECTED // 2 - k) % _DIRECTED for k in range(_DIRECTED)]
    undirected = [_DIRECTED + -k % _UNDIRECTED for k in range(_UNDIRECTED)]
    return [*directed, *undirected, 29, 30, 27, 28, 31][:depth]


def mirrored(weights: Weights) -> Weights:
    """Return the filter that sees in mirrored images what `weights` sees in images."""
    return np.ascontiguousarray(weights[:, ::-1, mirror_order(weights.shape[2])])


def read_dpm(path: str | Path) -> DpmModel:
    """Read a model of release 4 or 5 of the deformable part models.

    Args:
        path: A `.mat` file (of MATLAB's versions 5 to 7) with the variable `model`.

    Raises:
        FormatError: It is missing, damaged, no such model, or a grammar of more than a root with
            parts.
    """
    path = Path(path)
    return _Grammar(_model_of(path), str(path)).model(path.stem)


def _model_of(path: Path) -> Fields:
    need = "give the .mat file of a deformable part model"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FormatError(f"{path} cannot be read ({error.strerror}); {need}") from None
    if content[126:128] not in (b"IM", b"MI") or content.startswith(b"MATLAB 7.3"):
        raise FormatError(
            f"{path} is no MATLAB file of version 5 to 7; {need}, or save it with '-v7'"
        )
    try:
        model = read_variables(memoryview(content), ("model",)).get("model")
    except DamagedMat as error:
        raise FormatError(
            f"{path} is a damaged MATLAB file ({error}); fetch or save it again"
        ) from None
    if not isinstance(model, list) or len(model) != 1 or not isinstance(model[0], dict):
        raise FormatError(f"{path} holds no structure 'model'; {need}")
    return model[0]


class _Grammar:
    """The tables of a model, looked up by its own numbers, which count from 1."""

    def __init__(self, fields: Fields, place: str):
        self.top = Struct(fields, place)
        for name in ("filters", "rules", "symbols", "start"):
            if name not in self.top:
                raise self.top.error(
                    f"has no {name!r}, so it is no model of release 4 or 5 of the deformable part "
                    "models: give one of those"
                )
        self.filters = self.top.structs("filters")
        self.symbols = self.top.structs("symbols")
        self.blocks = self.top.structs("blocks")
        rules = fields["rules"] if isinstance(fields["rules"], list) else []
        self.rules = [_structures(self.top, symbol, of) for symbol, of in enumerate(rules, 1)]

    def model(self, default: str) -> DpmModel:
        """Follow the rules of the start symbol."""
        (start,) = self._wholes(self.top, "start", 1)
        rules = self._at(self.rules, start, self.top, "start", "rules of symbols")
        if not rules:
            raise self.top.error(f"has no rule for its start symbol {start}: it is incomplete")
        (cell,) = self._wholes(self.top, "sbin", 1, (8,))
        if not 2 <= cell <= _LARGEST_CELL:
            raise self.top.error(f"has cells of {cell} pixels in 'sbin', where 4 or 8 are usual")
        components = tuple(map(self._component, rules))
        return DpmModel(self.top.text("class", default), components, cell)

    def _component(self, rule: Struct) -> DpmComponent:
        symbols = rule.wholes("rhs")
        anchors = rule.arrays("anchor")
        if not symbols or len(symbols) != len(anchors):
            raise rule.error(
                f"names {len(symbols)} filters in 'rhs' and {len(anchors)} places in 'anchor', "
                "where there is one place for each of at least one filter"
            )
        root, *parts = (self._weights(symbol, rule) for symbol in symbols)
        _anchor(rule, anchors[0], 0)
        places = [_anchor(rule, anchor, 1) for anchor in anchors[1:]]
        return DpmComponent(
            root, tuple(map(DpmPart, parts, places)), self._bias(rule.struct("offset"))
        )

    def _weights(self, symbol: int, rule: Struct) -> Weights:
        """Return the filter of a symbol, or of the terminal that its deformation rule leads to."""
        found = self._at(self.symbols, symbol, rule, "rhs", "symbols")
        if found.text("type") != "T":
            moved = self._at(self.rules, symbol, rule, "rhs", "rules of symbols")
            if not moved or moved[0].text("type") != "D":
                raise rule.error(
                    f"leads to symbol {symbol}, which is no movable filter: only models of a root "
                    "with parts can be read, and no deeper grammars"
                )
            (symbol,) = self._wholes(moved[0], "rhs", 1)
            found = self._at(self.symbols, symbol, moved[0], "rhs", "symbols")
        (number,) = self._wholes(found, "filter", 1)
        return self._filter(self._at(self.filters, number, found, "filter", "filters"))

    def _filter(self, own: Struct) -> Weights:
        # Release 4 keeps mirrored filters mirrored, release 5 has one block for both.
        if own.array("w").size:
            return _checked(own, own.array("w"))
        block = self._block(own)
        shape, weights = block.wholes("shape"), block.array("w")
        if min(shape, default=-1) < 0 or prod(shape) != weights.size:
            raise block.error(
                f"has {weights.size} weights, and its shape is {shape}: it is damaged"
            )
        found = _checked(block, weights.ravel("F").reshape(shape, order="F"))
        return mirrored(found) if any(own.reals("flip")) else found

    def _bias(self, offset: Struct) -> float:
        value = offset.reals("w")
        if not value and "blocklabel" in offset:
            value = self._block(offset).reals("w")
        feature = self.top.struct("features").reals("bias", (1.0,))[0]
        bias = value[0] * feature if value else 0.0
        if not np.isfinite(bias):
            raise offset.error(f"has the bias {bias}, where a finite number is needed")
        return bias

    def _block(self, own: Struct) -> Struct:
        (number,) = self._wholes(own, "blocklabel", 1)
        return self._at(self.blocks, number, own, "blocklabel", "blocks")

    def _wholes(
        self, own: Struct, name: str, count: int, default: Sequence[int] = ()
    ) -> tuple[int, ...]:
        found = own.wholes(name, default)
        if len(found) != count:
            raise own.error(f"has {len(found)} numbers in its field {name!r}, and needs {count}")
        return found

    def _at(self, table: Sequence[Item], number: int, own: Struct, name: str, what: str) -> Item:
        if not 1 <= number <= len(table):
            raise own.error(
                f"has {number} in its field {name!r}, and there are {len(table)} {what}, counted "
                "from 1"
            )
        return table[number - 1]


def _structures(top: Struct, symbol: int, of: Any) -> list[Struct]:
    """Return the rules of a symbol; terminals have an empty matrix."""
    rules = of if isinstance(of, list) else []
    if not all(isinstance(rule, dict) for rule in rules):
        raise top.error(f"has something else than structures for the rules of symbol {symbol}")
    return [
        Struct(rule, f"{top.place}: rule {number} of symbol {symbol}")
        for number, rule in enumerate(rules, 1)
    ]


def _anchor(rule: Struct, anchor: NDArray[Any], octaves: int) -> tuple[int, int]:
    numbers = [float(number) for number in anchor.ravel()]
    whole = len(numbers) == 3 and all(n.is_integer() and abs(n) < _FARTHEST for n in numbers)
    if not whole or numbers[2] != octaves:
        raise rule.error(
            f"has {numbers} in its field 'anchor', where whole x, y and {octaves} octaves are "
            "needed: only parts at twice the root's resolution can be read"
        )
    return int(numbers[0]), int(numbers[1])


def _checked(own: Struct, weights: NDArray[Any]) -> Weights:
    if weights.ndim != 3 or weights.shape[2] not in DEPTHS or not weights.size:
        raise own.error(
            f"is a filter of shape {weights.shape}, and rows x columns x 31 or 32 are needed: "
            "projected features cannot be shown"
        )
    if weights.dtype.kind not in "fiu" or not (np.abs(weights.astype("f8")) < _LARGEST).all():
        raise own.error("has weights that are not finite numbers: fetch it again")
    return np.array(weights, np.float32, order="C")
