"""Explaining a unit: one forward pass, then one backward pass for every reversed network."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from phosphene.core.attention import Rule, parse_rule
from phosphene.core.finite import check_finite
from phosphene.core.labels import Likely, most_probable
from phosphene.core.network import Network
from phosphene.core.photographs import OnError, Prepared, batches, prepared, several
from phosphene.core.reversal import backward
from phosphene.core.rules import DECONVNET, GUIDED, SALIENCY, Reversal
from phosphene.core.seed import Seed, as_maps
from phosphene.core.tape import Tape
from phosphene.core.unit import Unit
from phosphene.errors import ImageError, UnitError
from phosphene.image import name_of
from phosphene.provenance import versions
from phosphene.saliency.attention import end_of, field_at, on_image
from phosphene.saliency.result import Explanation, Saliency

AnyUnit = Unit | int | str | None
AnyRule = Rule | str

# How often a random unit is drawn again while its signal is zero.
_DRAWS = 20


def explain(
    net: Network,
    photo: Any,
    unit: AnyUnit | Sequence[AnyUnit] = None,
    rules: AnyRule | Sequence[AnyRule] | None = None,
    *,
    layer: str | None = None,
    to: str | None = None,
    whole: bool = False,
    top: int = 5,
) -> Explanation:
    """Show which pixels made a unit fire, by several reversed networks.

    Args:
        net: The network.
        photo: A photograph (file, PIL image, array), which is resized and cropped as the network
            wants it; a tensor (c, h, w) or (b, c, h, w) in [0, 1], which is taken as it is; or a
            list of photographs of one size after preprocessing.
        unit: Where to start: a `Unit`; a channel of `layer`; without a layer a class, by name or
            index; `None` is the strongest unit of the layer, without a layer the class the
            network predicts. A list of these is sent back in one batched pass.
        rules: Which reversed networks, as values or names. `None` is saliency, DeConvNet and
            guided backpropagation, as far as there are ReLUs below the unit to tell them apart.
            Also rules of attention (`core.attention`): `"excitation"`, `"contrastive"` and
            `"grad-cam"`, with the layer to read them at (`"grad-cam@conv5"`) or without.
        layer: Layer of the unit; the class scores if `None`.
        to: Stop at this inner layer instead of the image; attention, too, is left there.
        whole: Show the network the whole photograph instead of the centre crop.
        top: How many classes to name in the result; 0 saves the pass behind the layer.

    Returns:
        One `Saliency` per unit and rule. The signal is with respect to RGB in [0, 1].

    Raises:
        NothingToReverse: A rule changes ReLUs, and there are none.
        OpaqueGraph: A rule needs to look into compiled or scripted code.
        ReversalError: A rule of attention has nothing to read at its layer.
        SettingError: A rule is read at one layer, and `to` is another.
        UnknownLayer, UnknownClass, UnknownRule, UnitError, ImageError, NotFinite: As they say.

    *Reference.* Mahendran & Vedaldi, ECCV 2016, sections 2 and 3; Simonyan et al. 2014, section 3.
    """
    photos = several(photo)
    if not photos:
        raise ImageError("there is no photograph to explain: the list is empty")
    ready = list(prepared(net, photos, whole))
    if len(ready) == 1:
        ready = [replace(ready[0], name=name_of(photos[0]))]  # it needs no number
    return _explained(net, ready, unit, rules, layer=layer, to=to, top=top)


def explain_many(
    net: Network,
    photos: Iterable[Any],
    unit: AnyUnit | Sequence[AnyUnit] = None,
    rules: AnyRule | Sequence[AnyRule] | None = None,
    *,
    layer: str | None = None,
    to: str | None = None,
    whole: bool = False,
    top: int = 5,
    batch: int = 8,
    on_error: OnError | None = None,
) -> Iterator[Explanation]:
    """Explain photographs one after another, running them through the network in batches.

    Args:
        net: The network.
        photos: Photographs as for `explain`, taken one at a time, so that a generator may feed it.
        unit: As for `explain`.
        rules: As for `explain`.
        layer: As for `explain`.
        to: As for `explain`.
        whole: As for `explain`; photographs of different sizes go through the network alone.
        top: As for `explain`.
        batch: How many go through the network together.
        on_error: Called with a photograph that cannot be read and the error, and the next one is
            taken; without it the error is raised.

    Yields:
        An `Explanation` for each photograph that could be read, in order.
    """
    for together in batches(prepared(net, photos, whole, on_error), batch):
        yield from _explained(net, together, unit, rules, layer=layer, to=to, top=top).one_by_one()


def _explained(
    net: Network,
    photos: Sequence[Prepared],
    unit: AnyUnit | Sequence[AnyUnit],
    rules: AnyRule | Sequence[AnyRule] | None,
    *,
    layer: str | None,
    to: str | None,
    top: int,
) -> Explanation:
    shapes = {tuple(p.image.shape[1:]) for p in photos}
    if len(shapes) > 1:
        raise ImageError(
            "photographs of different sizes do not fit one batch: use explain_many, or leave out "
            "whole=True"
        )
    units = [_unit(net, u, layer) for u in listed(unit)]
    cut = net[layer] if layer is not None else net.scores
    # The pass goes on behind the layer only for what is asked of the classes.
    predicts = (layer is None and top > 0) or any(u.kind == "predicted" for u in units)
    cuts = [cut, net.output] if predicts else [cut]
    chosen = None if rules is None else [parse_rule(rule) for rule in listed(rules)]
    size = (photos[0].image.shape[-2], photos[0].image.shape[-1])
    ends = [end_of(net, rule, cut, size, to) for rule in chosen or ()]
    inner = [name for name in dict.fromkeys([to, *ends]) if name]
    # The way back too: checkpointed layers run again on it, and need their evaluation mode.
    with net.running(gradients=False):
        image = torch.cat([p.image for p in photos]).detach()
        tape, *output = net.tapes(image, cuts, inner)
        probabilities = net.head.probabilities(output[0].activation) if output else None
        if chosen is None:
            chosen = [SALIENCY, DECONVNET, GUIDED] if tape.census["relu"] else [SALIENCY]
            ends = [to] * len(chosen)
        ways = list(zip(chosen, ends, strict=True))
        seeds = [_planted(u, tape, probabilities, *ways[0]) for u in units]
        saliencies = _signals(net, tape, units, seeds, ways, to is None)
        facts = {
            "network": net.name,
            "preprocessing": str(net.preprocessing),
            "layer": tape.layer or "class scores",
            "started from": "; ".join(str(u) for u in units),
            "rules": ", ".join(str(rule) for rule in chosen),
            "census": str(tape.census),
            **versions(),
        }
    labels = net.labels if layer is None or _holds_classes(net, layer, tape) else ()
    likely: tuple[Likely, ...] = ()
    if probabilities is not None and top:
        likely = most_probable(probabilities, net.labels, top)
    names, frames = tuple(p.name for p in photos), tuple(p.frame for p in photos)
    return Explanation(
        image, saliencies, names, frames, net.name, tape.layer, labels, likely, facts
    )


def listed(given: Any) -> list[Any]:
    """Return a list or tuple as a list, and anything else as a list of it alone."""
    return list(given) if isinstance(given, list | tuple) else [given]


def _unit(net: Network, unit: AnyUnit, layer: str | None) -> Unit:
    if unit is None:
        return Unit.strongest() if layer is not None else Unit.predicted()
    if isinstance(unit, str):
        unit = Unit.of_class(unit)
    if not isinstance(unit, Unit):
        try:
            number = int(operator.index(unit))  # NumPy's and torch's numbers too
        except TypeError:
            kind = type(unit).__name__
            raise UnitError(f"a unit is a number, a class name or a Unit, and no {kind}") from None
        unit = Unit(number) if layer is not None else Unit.of_class(number)
    if unit.kind not in ("class", "predicted"):
        return unit
    if layer is not None and net.address(layer) != net.scores.address:
        raise UnitError(
            f"{unit} is a class, and layer {layer!r} does not hold the class scores: leave out the "
            "layer, or give a channel number"
        )
    if unit.kind == "predicted":
        return unit
    index = net.class_index(unit.name)
    return replace(unit, channel=index, name=net.label(index))


def _holds_classes(net: Network, layer: str, tape: Tape) -> bool:
    # Looking for the class scores runs the whole network: only where they may be these.
    count = tape.activation.shape[1]
    return count == len(net.labels) and net.address(layer) == net.scores.address


def _planted(
    unit: Unit,
    tape: Tape,
    probabilities: Tensor | None,
    rule: Rule,
    to: str | None,
) -> Seed:
    """Make a unit's seed; a random unit is drawn again while nothing comes back from it."""
    if unit.kind == "predicted":
        assert probabilities is not None
        return unit.plant(tape.activation, probabilities.argmax(1))
    seed = unit.plant(tape.activation)
    if unit.kind != "random":
        return seed
    for draw in range(1, _DRAWS):
        silent = backward(tape, seed.p, rule, to).flatten(1).abs().amax(1) == 0
        if not silent.any():
            break
        # Draws of one unit must not run into those of its neighbours in a series of seeds.
        again = replace(unit, seed=unit.seed + 1_000_003 * draw).plant(tape.activation)
        seed = seed.but(again, silent)
    return seed


def _signals(
    net: Network,
    tape: Tape,
    units: Sequence[Unit],
    seeds: Sequence[Seed],
    ways: Sequence[tuple[Rule, str | None]],
    spread: bool,
) -> tuple[Saliency, ...]:
    """Send the seeds back by every rule to its end; attention is spread over the image."""
    p = seeds[0].p if len(seeds) == 1 else torch.stack([seed.p for seed in seeds])
    height, width = as_maps(tape.activation)[0].shape[2:]
    sites = (int(height), int(width))
    attending = {e for rule, e in ways if e and not isinstance(rule, Reversal)} if spread else ()
    # Before the last pass frees the tape.
    fields = {end: field_at(tape, end) for end in attending}
    size = (tape.x.shape[-2], tape.x.shape[-1])
    found: dict[tuple[int, int], Saliency] = {}
    for j, (rule, end) in enumerate(ways):
        signals = backward(tape, p, rule, end, keep=j + 1 < len(ways))
        check_finite(signals, net.module, tape.x.detach(), net.run)
        if end is None:
            signals = of_image(net, signals, rule)
        for i, (unit, seed) in enumerate(zip(units, seeds, strict=True)):
            signal = signals if len(seeds) == 1 else signals[i]
            saliency = Saliency(
                signal, unit, seed.channel, seed.at, seed.score, rule, tape.census, end or "", sites
            )
            if spread and end is not None:
                saliency = replace(saliency, map=on_image(saliency.map, fields[end], size))
            found[i, j] = saliency
    return tuple(found[i, j] for i in range(len(units)) for j in range(len(ways)))


def of_image(net: Network, signals: Tensor, rule: Rule) -> Tensor:
    """Bring signals (..., c, h, w) on the input to RGB; attention is shared out, without units."""
    if isinstance(rule, Reversal):
        return net.preprocessing.pull_back(signals)
    return signals.flip(-3) if net.preprocessing.order == "BGR" else signals
