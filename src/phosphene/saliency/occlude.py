"""Occlusion: what a network says while a patch hides one part of the image after another.

A patch of one colour is moved over the image; for each of its places the network is run, and
noted are the probability of a class, which class is the most probable, and the total activation of
one feature map. A map that falls where an object is hidden looks at the object.

The network is run only on what a patch changes (`core.incremental`), to the numbers of the whole
pass: a patch of 50 pixels in 224 changes 6 % of the first layers.

*Reference.* Zeiler & Fergus, ECCV 2014, section 4.2, figure 7. They give neither the side of the
gray square nor its stride: here 50/224 and 1/28 of the shorter side.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from typing import Any, get_args

from torch import Tensor

from phosphene.core.finite import check_finite
from phosphene.core.incremental.sweep import Sweep
from phosphene.core.labels import Likely, most_probable
from phosphene.core.network import Network
from phosphene.core.unit import Unit
from phosphene.errors import (
    NothingToReverse,
    OpaqueGraph,
    OutOfMemory,
    SettingError,
    UnitError,
    out_of_memory,
)
from phosphene.image import name_of
from phosphene.provenance import versions
from phosphene.saliency.explain import explain
from phosphene.saliency.noting import Maps, Noting, Reduce
from phosphene.saliency.occluder import Border, Fill, Occluder, Sides
from phosphene.saliency.occlusion import Energy, Occlusion
from phosphene.saliency.result import Explanation

Tick = Callable[[int, int, str], None]
"""Told of progress: how many windows are done, of how many, and what is being done."""

BATCH = {"incremental": 32, "full": 8, "module": 8}
"""Windows at a time. Fully connected layers want many, as each batch reads all their weights; whole
maps want few, as more of them leave the processor's cache."""


def occlude(
    net: Network,
    photo: Any,
    unit: Unit | int | str | None = None,
    *,
    layer: str | None = None,
    patch: Sides | None = None,
    stride: Sides | None = None,
    fill: Fill = "mean",
    border: Border = "over",
    feature: str | None = "auto",
    reduce: Reduce = "max",
    whole: bool = False,
    batch: int | None = None,
    incremental: bool = True,
    tick: Tick | None = None,
) -> Occlusion:
    """Move a patch over an image and note what the network says.

    Args:
        net: The network.
        photo: A photograph (file, PIL image, array), which is resized and cropped as the network
            wants it; or a tensor (c, h, w) in [0, 1], which is taken as it is.
        unit: A class, by name or index; `None` is the class that the network predicts for the
            clean image. With a `layer` a channel of it, or a `Unit` with a position; `None` is its
            strongest.
        layer: Layer of the unit; nothing behind it runs, so that there are no class maps.
        patch: Side of the patch in pixels, or (height, width); 50/224 of the shorter side.
        stride: Pixels from one place to the next, or (down, right); 1/28 of the shorter side.
        fill: What the patch shows: `"mean"`, the colour that the preprocessing subtracts (zero for
            the network; mid-gray where it subtracts none), `"gray"`, `"black"`, or numbers in
            [0, 1], one or one per channel of the image.
        border: `"over"` moves the patch's centre over the whole image, and cuts the patch at the
            borders. `"inside"` begins with the patch in the corner and ends with the first that
            reaches the other border, cut there: Captum's grid.
        feature: Layer whose strongest feature map is followed and projected down: `"auto"` is the
            last with places before the class scores that is no pool, where classes are asked for;
            `None` follows none.
        reduce: What a channel without a position counts as: the maximum or the sum of its map.
        whole: Show the network the whole photograph instead of the centre crop.
        batch: How many places are run together; more need more memory. By default
            32 where only what changes is run, otherwise 8.
        incremental: Run only on what the patch changes, where the network allows it; otherwise on
            whole images. `facts["engine"]` says what was done.
        tick: Told of progress.

    Returns:
        The maps, (rows, columns), indexed by the centre of the patch. Where Ctrl-C ended it the
        rest is NaN, and it is `interrupted`.

    Raises:
        SettingError: A patch that is larger than the image, a stride below 1, a fill that is no
            colour, or another choice that does not exist.
        UnknownClass, UnknownLayer, UnitError, ImageError, LayerNeverRan, NotFinite, OutOfMemory: As
            they say.
    """
    if reduce not in get_args(Reduce):
        raise SettingError(f"reduce={reduce!r} is neither 'max' nor 'sum'")
    if batch is not None and (isinstance(batch, bool) or not isinstance(batch, int) or batch < 1):
        raise SettingError(f"batch={batch!r} is no number of images: give 1 or more, or None")
    started = time.perf_counter()
    image, frame = net.prepare(photo, whole)
    wanted = _unit(net, unit, layer)
    if feature == "auto":
        feature = None if layer is not None else _last_maps(net, image)
    names = [layer or "", *([feature] if feature is not None else [])]
    with net.running(gradients=False):
        x = net.input_of(image)
        occluder = Occluder.of(net.preprocessing, image, patch, stride, fill, border)
        shown = occluder.shown(net, x)
        sweep = Sweep(net, x, shown, occluder.windows, names, incremental)
        for value in sweep.clean.values():
            check_finite(value, net.module, x, net.run)
        most = batch or BATCH[sweep.engagement.engine]
        noting = Noting(net, sweep.clean, wanted, layer, feature, reduce)
        maps = noting.blank(occluder.y, occluder.x)
        interrupted = _swept(sweep, noting, maps, most, tick)
    likely: tuple[Likely, ...] = ()
    if layer is None:
        likely = most_probable(noting.clean_probabilities, net.labels, 5)
    projection, warning = _projection(net, image, feature, noting.channel)
    facts = {
        "network": net.name,
        "preprocessing": str(net.preprocessing),
        "unit": str(noting.unit) + (f" of {layer}, {reduce}" if layer else ""),
        **occluder.facts,
        "feature": feature or "none",
        "engine": str(sweep.engagement),
        "batch": str(most),
        "seconds": f"{time.perf_counter() - started:.2f}",
        **versions(),
    }
    notes = [warning] if warning else []
    if incremental and sweep.engagement.engine == "module":
        notes.append(f"every window was a whole pass: {sweep.engagement.reason}")
    energy = None
    if feature is not None:
        clean = float(noting.clean_energy)
        energy = Energy(feature, noting.channel, maps.energy, clean, projection)
    return Occlusion(
        image=image,
        photo=name_of(photo),
        frame=frame,
        network=net.name,
        occluder=occluder,
        unit=noting.unit,
        layer=layer or "",
        value=maps.value,
        clean=float(noting.clean_value),
        best=maps.best if layer is None else None,
        energy=energy,
        labels=net.labels if layer is None else (),
        top=likely[0] if likely else (),
        facts=facts,
        notes=tuple(notes),
        interrupted=interrupted,
    )


def _swept(sweep: Sweep, noting: Noting, maps: Maps, most: int, tick: Tick | None) -> bool:
    """Run all batches; return whether Ctrl-C ended it."""
    done, total = 0, maps.value.numel()
    try:
        for batch in sweep.batches(most):
            at = [(i, j) for i in batch.rows for j in batch.columns]
            noting.note(sweep.run(batch), maps, at)
            done += len(batch)
            if tick is not None:
                tick(done, total, "occluding")
    except KeyboardInterrupt:
        if not done:
            raise
        return True
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        raise OutOfMemory(
            f"{most} images at a time do not fit into memory: give batch={max(1, most // 2)}"
        ) from error
    return False


def _unit(net: Network, unit: Unit | int | str | None, layer: str | None) -> Unit:
    """Say which unit is meant; classes get their index."""
    if unit is not None and not isinstance(unit, str | Unit):
        try:
            unit = int(operator.index(unit))  # NumPy's and torch's numbers too
        except TypeError:
            kind = type(unit).__name__
            raise UnitError(f"a unit is a number, a class name or a Unit, and no {kind}") from None
    if layer is not None:
        net.address(layer)
        if unit is None:
            return Unit.strongest()
        if isinstance(unit, str):
            unit = Unit.of_class(unit) if not unit.strip().isdecimal() else int(unit)
        found = unit if isinstance(unit, Unit) else Unit(unit)
        if found.kind not in ("channel", "strongest"):
            raise UnitError(
                f"{found} is no single channel of layer {layer!r}: give a channel, or leave out "
                "the layer for a class"
            )
        return found
    if unit is None:
        return Unit.predicted()
    if isinstance(unit, Unit):
        if unit.kind == "predicted":
            return unit
        if unit.kind != "class":
            raise UnitError(f"{unit} needs the name of its layer")
        unit = unit.name
    index = net.class_index(unit)
    return Unit(index, kind="class", name=net.label(index))


def _last_maps(net: Network, image: Tensor) -> str | None:
    """Find the last layer before the scores whose maps have places, and that is no pool."""
    head = net.head.layer
    found = None
    for known in net.layers((int(image.shape[2]), int(image.shape[3]))):
        if head is not None and known.name == str(head):
            break
        passes = "Pool" in known.kind or "Drop" in known.kind or known.kind == "Identity"
        if len(known.shape) == 3 and min(known.shape[1:]) > 1 and not passes:
            found = known.name
    return found


def _projection(
    net: Network, image: Tensor, feature: str | None, channel: int
) -> tuple[Explanation | None, str]:
    """Project the strongest feature map down from its strongest place, by a DeConvNet."""
    if feature is None:
        return None, ""
    try:
        return explain(net, image, Unit(channel), "deconvnet", layer=feature, top=0), ""
    except (NothingToReverse, OpaqueGraph) as error:
        return None, f"the feature map was not projected: {error}"
