"""What can be read off the weights alone: filters alike, empty, or of odd frequencies."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.survey.diagnosis.filters import Spectra, rms, spectra, twins
from phosphene.survey.diagnosis.finding import Bounds, Finding, numbered, severity

KINDS = (nn.Conv2d, nn.Linear)

# White noise has 0.80 of its energy above 1/4 cycle per pixel, trained layers far less.
_NOISE = 0.75


def weighted(net: Network) -> dict[str, nn.Module]:
    """Return the convolutions and fully connected layers by name, in the order they are defined."""
    return {
        name: m
        for name, m in net.module.named_modules()
        if isinstance(m, KINDS) and isinstance(m.weight, Tensor)
    }


def first_layer(net: Network) -> tuple[str, nn.Conv2d] | None:
    """Find the convolution that reads the image: the first, if it has the image's channels.

    Of one behind something else (pixels folded into channels, say) frequencies mean nothing.
    """
    for layer in net.layers():
        module = net.module.get_submodule(net.address(layer.name).path)
        if isinstance(module, nn.Conv2d):
            return (layer.name, module) if module.in_channels == net.blank().shape[1] else None
    return None


def weight_of(module: nn.Module) -> Tensor:
    """Return the filters of a layer, (n, ...): without a gradient, and dilated where they are."""
    weight = _stored(module)
    if not isinstance(module, nn.Conv2d) or set(module.dilation) == {1}:
        return weight
    down, right = int(module.dilation[0]), int(module.dilation[1])
    n, c, h, w = weight.shape
    wide = weight.new_zeros(n, c, (h - 1) * down + 1, (w - 1) * right + 1)
    wide[:, :, ::down, ::right] = weight
    return wide


def _stored(module: nn.Module) -> Tensor:
    weight = module.weight  # a parameter, or what a parametrization makes
    assert isinstance(weight, Tensor)
    return weight.detach()


def overlapping(module: nn.Conv2d, smallest: int) -> bool:
    """Tell whether filters can be judged by frequency.

    They must be large enough, and overlap: those that cut an image into patches (a vision
    transformer's) tell a patch from others together, as the columns of a basis do, and no stride
    of theirs takes samples of a finer map.
    """
    return all(
        side >= smallest and step < side
        for side, step in zip(module.kernel_size, module.stride, strict=True)
    )


def weight_findings(net: Network, bounds: Bounds) -> Iterator[Finding]:
    """Look at the weights of every layer."""
    for name, module in weighted(net).items():
        weight = _stored(module)
        wrong = int((~weight.isfinite()).sum())
        if wrong:
            yield Finding(
                "not finite", "fault", name, (), wrong, 0,
                f"{name}: {wrong} of {weight.numel()} weights are NaN or infinite: go back to an "
                "earlier checkpoint, and train on with a lower rate",
            )  # fmt: skip
            continue
        yield from _empty(name, weight, bounds)
        yield from _twins(name, module, weight, bounds)
    found = first_layer(net)
    if found is not None:
        name, module = found
        if bool(module.weight.isfinite().all()):
            yield from _dominating(name, module, bounds)
            if overlapping(module, bounds.smallest):
                stride = (int(module.stride[0]), int(module.stride[1]))
                yield from _frequencies(name, spectra(weight_of(module), stride), stride, bounds)


def _empty(name: str, weight: Tensor, bounds: Bounds) -> Iterator[Finding]:
    length = rms(weight)
    empty = tuple(int(i) for i in (length <= 1e-6 * length.median()).nonzero()[:, 0])
    if empty:
        share = len(empty) / len(weight)
        yield Finding(
            "empty", severity(share, bounds.many), name, empty, share, bounds.many,
            f"{name}: the weights of {numbered(empty)} are zero ({share:.0%} of the layer; more "
            f"than {bounds.many:.0%} is a fault): remove them, or lower the decay of the weights",
        )  # fmt: skip


def _twins(name: str, module: nn.Module, weight: Tensor, bounds: Bounds) -> Iterator[Finding]:
    if weight[0].numel() < bounds.twin_size:
        return
    pairs = twins(weight, bounds.twin, int(getattr(module, "groups", 1)))
    if not pairs:
        return
    units = tuple(dict.fromkeys(unit for pair in pairs for unit in (pair.first, pair.second)))
    share, worst = len({pair.second for pair in pairs}) / len(weight), pairs[0]
    relation = "each other's negative" if worst.cosine < 0 else "the same"
    yield Finding(
        "twins", severity(share, bounds.many), name, units, abs(worst.cosine), bounds.twin,
        f"{name}: {len(pairs)} pair{'s' if len(pairs) > 1 else ''} of filters are nearly one: "
        f"{worst.first} and {worst.second}, {relation} by a cosine of {worst.cosine:.3f} (bound "
        f"{bounds.twin:g}); {share:.0%} of the layer could go: fewer filters do, or another start",
    )  # fmt: skip


def _dominating(name: str, module: nn.Conv2d, bounds: Bounds) -> Iterator[Finding]:
    length = rms(module.weight)
    bound = max(bounds.rms, bounds.over * float(length.median()))
    loud = tuple(int(i) for i in (length > bound).nonzero()[:, 0])
    if loud:
        worst = float(length.max())
        yield Finding(
            "dominating", "note", name, loud, worst, bound,
            f"{name}: {numbered(loud)} dominate by their size: root mean square up to {worst:.3g}, "
            f"bound {bound:.3g}, median {float(length.median()):.3g}: scale filters above a bound "
            "back after each update, as Zeiler & Fergus did",
        )  # fmt: skip


def _frequencies(
    name: str, found: Spectra, stride: tuple[int, int], bounds: Bounds
) -> Iterator[Finding]:
    count = len(found.high)
    alive = found.energy.sum(1) > 0
    fine = tuple(int(i) for i in (found.high > bounds.high).nonzero()[:, 0])
    if fine:
        share, worst = len(fine) / count, float(found.high.max())
        yield Finding(
            "high", "note", name, fine, worst, bounds.high,
            f"{name}: {numbered(fine)} see{'s' if len(fine) == 1 else ''} only what is finer than "
            f"4 pixels: up to {worst:.0%} of the energy lies above 1/4 cycle per pixel (bound "
            f"{bounds.high:.0%}; white noise has 80%): a few such are common; if many, give this "
            "layer more decay, or a smoother start",
        )  # fmt: skip
    flat = tuple(int(i) for i in (found.constant > bounds.constant).nonzero()[:, 0])
    if flat:
        share = len(flat) / count
        yield Finding(
            "low", severity(share, bounds.many), name, flat, float(found.constant.max()),
            bounds.constant,
            f"{name}: {numbered(flat)} only average{'s' if len(flat) == 1 else ''} over a window: "
            f"up to {float(found.constant.max()):.0%} of the energy is the mean (bound "
            f"{bounds.constant:.0%}): a smaller kernel would do",
        )  # fmt: skip
    if not bool(alive.any()):
        return
    low, mid, high = (float(part[alive].mean()) for part in (found.low, found.mid, found.high))
    if mid < bounds.mid:
        side = "low" if low > high else "high"
        todo = (
            "a smaller kernel" if side == "low" else "more decay on this layer, or longer training"
        )
        like = ", nearly white noise, as before any training" if high > _NOISE else ""
        yield Finding(
            "mid", "fault", name, (), mid, bounds.mid,
            f"{name}: little between the extremes: {low:.0%} of the filters' energy is below 1/8 "
            f"cycle per pixel, {high:.0%} above 1/4, {mid:.0%} between (bound {bounds.mid:.0%}): "
            f"too {side} frequencies{like}: try {todo}",
        )  # fmt: skip
    alias = float(found.alias[alive].mean())
    if alias > bounds.alias:
        yield Finding(
            "alias", "fault", name, (), alias, bounds.alias,
            f"{name}: {alias:.0%} of what the filters answer to images lies above the Nyquist "
            f"frequency of their stride of {max(stride)} (1/{2 * max(stride)} cycle per pixel, "
            f"bound {bounds.alias:.0%}) and comes back as patterns that are not "
            "there: halve the stride",
        )  # fmt: skip


def shares(found: Spectra) -> dict[str, float]:
    """Return the mean shares of a layer's filters, for tables and curves."""
    alive = found.energy.sum(1) > 0
    if not bool(alive.any()):
        return {}
    named = {"low": found.low, "mid": found.mid, "high": found.high, "alias": found.alias}
    return {name: float(torch.mean(values[alive])) for name, values in named.items()}
