"""Maps of a photograph by every method, from one class: what the sanity controls look at.

All methods explain the same number, the class's score before the softmax; of networks that average
a map of scores that is the mean over its places, so that the seed is one and the same at all of
them. Each method says two things about a pixel:

- the **map**, at least zero, what is looked at: of a reversed network the largest magnitude over
  the colours (Simonyan et al. 2014), of a rule of attention its sum over the channels, cut at zero;
- the **attribution**, what is reckoned with: of a reversed network the signal itself, signed, per
  unit of RGB in [0, 1]; a rule of attention has no sign, and its attribution is its map. Nor has
  occlusion (`occluding`), whose map is what the class's probability loses.

Controls have maps, too, that know nothing of the network: the photograph's own edges, and a blob in
the middle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from PIL.Image import Image
from torch import Tensor

from phosphene.core.attention import IMAGE, Rule, parse_rule
from phosphene.core.network import Network
from phosphene.core.rules import Reversal
from phosphene.core.seed import as_maps
from phosphene.core.unit import Unit
from phosphene.display import heat, normalize_map
from phosphene.errors import ImageError, NetworkError, ReversalError, SettingError, UnknownLayer
from phosphene.image import to_image
from phosphene.saliency.explain import AnyRule, explain
from phosphene.segmentation.baseline import gaussian_blob
from phosphene.studies.edges import edge_strength
from phosphene.studies.lit import everywhere
from phosphene.studies.occluding import OCCLUSION, Occluding, occluded
from phosphene.studies.plan import Plan
from phosphene.studies.reversed_layers import has_classes
from phosphene.studies.setting import demand_photos

METHODS = ("saliency", "deconvnet", "guided", "excitation", "contrastive", "grad-cam")
Method = Rule | Occluding
AnyMethod = AnyRule | Occluding
"""Also by name: a rule's, or `"occlusion"`."""
EDGES, MIDDLE = "edges", "middle"
"""Maps that know nothing of the network."""


@dataclass(frozen=True, eq=False)
class Explained:
    """What a method says about images.

    Attributes:
        map: (b, h, w) float32, at least zero.
        attribution: (b, c, h, w) float32 signed; (b, 1, h, w) at least zero where `signed` is not.
        signed: Whether the method gives signs.
        pictures: As phosphene shows it, image by image.
    """

    map: Tensor
    attribution: Tensor
    signed: bool
    pictures: tuple[Image, ...] = ()


def explained(
    net: Network, images: Tensor, unit: Unit, methods: Mapping[str, Method], *, shown: bool = False
) -> dict[str, Explained]:
    """Explain a class by several methods.

    Args:
        net: The network.
        images: (b, 3, h, w) RGB in [0, 1], on the network's device.
        unit: The class, as `mean_score` makes it.
        methods: By name, as `fitting` returns them.
        shown: Whether pictures are made.

    Returns:
        By the method's name, on the CPU.
    """
    rules = {name: m for name, m in methods.items() if not isinstance(m, Occluding)}
    found = {}
    for name, method in methods.items():
        if isinstance(method, Occluding):
            map_ = occluded(net, images, unit, method)
            pictures = tuple(map(to_image, heat(normalize_map(map_[:, None])))) if shown else ()
            found[name] = Explained(map_, map_[:, None], False, pictures)
    sent = explain(net, images, unit, list(rules.values()), top=0) if rules else ()
    for name, saliency in zip(rules, sent, strict=True):
        map_ = saliency.map[:, 0].detach().float().cpu().nan_to_num()
        signed = isinstance(saliency.rule, Reversal)
        own = saliency.signal.detach().float().cpu() if signed else map_[:, None]
        pictures = tuple(map(to_image, saliency.shown().cpu())) if shown else ()
        found[name] = Explained(map_, own, signed, pictures)
    return {name: found[name] for name in methods}


def mean_score(net: Network, image: Tensor, index: int) -> Unit:
    """Return the unit whose value is a class's score, averaged over places where there are some.

    Args:
        net: The network.
        image: (1, 3, h, w), of the size of those to be explained.
        index: The class.
    """
    tape = net.tapes(image, [net.scores])[0]
    height, width = as_maps(tape.activation)[0].shape[2:]
    unit = everywhere(net, index, (int(height), int(width)))
    if unit.tensor is None:
        return unit
    return replace(unit, tensor=unit.tensor / (height * width))


def class_scores(net: Network, images: Tensor, index: int, batch: int = 8) -> Tensor:
    """Return (n,) float64, the number that all methods explain, of (n, c, h, w) images."""
    found = []
    for part in torch.split(images, batch):
        scores = net.tapes(part.to(net.device, net.dtype), [net.scores])[0].activation
        found.append(as_maps(scores.detach())[0][:, index].double().mean((1, 2)).cpu())
    return torch.cat(found)


def class_probabilities(net: Network, images: Tensor, index: int, batch: int = 8) -> Tensor:
    """Return (n,) float64, the probability of a class, of (n, c, h, w) images."""
    parts = torch.split(images, batch)
    return torch.cat([net.probabilities(p)[:, index].double().cpu() for p in parts])


def predicted(net: Network, image: Tensor) -> int:
    """Return the class that a network predicts for (1, c, h, w)."""
    return int(net.probabilities(image)[0].argmax())


def controls(image: Tensor) -> dict[str, Tensor]:
    """Return maps (h, w) float32 of an image (1, c, h, w) that know nothing of any network."""
    size = (int(image.shape[-2]), int(image.shape[-1]))
    blob = torch.from_numpy(gaussian_blob(size, corners=False))
    return {EDGES: edge_strength(image[0]).float(), MIDDLE: blob}


def drawn(image: Tensor) -> Image:
    """Return the picture of an image (1, c, h, w), gray where it has neither 1 nor 3 channels."""
    own = image[0].float().cpu().clamp(0, 1)
    return to_image(own if len(own) in (1, 3) else own.mean(0)[None])


def demand_classes(plan: Plan, study: str, photos: int = 1) -> None:
    """Make sure that there are photographs, and classes.

    Raises:
        ImageError: There are fewer photographs than that.
        NetworkError: The network tells no classes apart.
    """
    demand_photos(plan, study)
    if len(plan.photos) < photos:
        raise ImageError(
            f"the study {study} compares maps of different photographs, and so needs {photos} or "
            f"more (3 for a verdict): {len(plan.photos)} given"
        )
    if not has_classes(plan.net):
        raise NetworkError(
            f"the study {study} explains classes, and {plan.net.name} tells none apart: give a "
            "classifier"
        )


def fitting(plan: Plan, methods: Sequence[AnyMethod]) -> tuple[dict[str, Method], tuple[str, ...]]:
    """Return the methods that fit the network, by name, and what the others lack.

    Attention that names no layer is given the one that `explain` would choose each time.

    Raises:
        ReversalError: None of them does.
        UnknownRule: One of them is no method.
    """
    image, _ = plan.net.prepare(plan.photos[0])
    unit = mean_score(plan.net, image, 0)
    fit: dict[str, Method] = {}
    warnings = []
    for method in methods:
        if method == OCCLUSION or isinstance(method, Occluding):
            fit[OCCLUSION] = method if isinstance(method, Occluding) else Occluding()
            continue
        rule = parse_rule(method)
        try:
            (sent,) = explain(plan.net, image, unit, rule, top=0)
        except (ReversalError, SettingError, UnknownLayer) as error:
            warnings.append(f"{rule.name} left out: {error}")
        else:
            chosen = None if isinstance(rule, Reversal) else replace(rule, at=sent.to or IMAGE)
            fit[rule.name] = chosen or rule
    if not fit:
        raise ReversalError(f"no method fits {plan.net.name}: {'; '.join(warnings)}")
    return fit, tuple(warnings)


def rules_key(methods: Mapping[str, Method]) -> list[str]:
    """Tell methods in the name of a cell, with the layers they are read at."""
    return [f"{name}: {rule!r}" for name, rule in methods.items()]
