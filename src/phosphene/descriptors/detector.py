"""A detector of a root and parts: deformable part models, shown as one picture.

A root template sees the object at half the resolution at which its parts see it, each part at its
own place, its anchor; the score is the sum of all,

    score(x) = <w_0, Phi(x / 2)> + sum_p <w_p, Phi(x) at p's anchor> + bias,

where parts rest, that is without the cost of moving them. *Apart*, root and parts are visualised
each by itself and laid over another, as in the thesis "for simplicity"; *joint*, there is one
image that all of them judge, and no seams.

*Reference.* Felzenszwalb et al., PAMI 2010; Mahendran, thesis 2018, section 5.5.1, fig. 5.14.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from phosphene.core.network import Network
from phosphene.descriptors.blocks import Variant
from phosphene.descriptors.orientations import Binning
from phosphene.descriptors.template import Template, score_of_noise, scoring, titled
from phosphene.descriptors.visualize import visualize
from phosphene.errors import ImageError, SettingError
from phosphene.formats.dpm import DpmModel
from phosphene.preimage.energy import Energy, Term
from phosphene.preimage.priors import NATURAL
from phosphene.preimage.recipe import Recipe
from phosphene.preimage.result import PreImage, Trace
from phosphene.preimage.watch import Watch

Parts = Literal["apart", "joint"]


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a detector.

    Attributes:
        template: What it looks for, at twice the root's resolution.
        anchor: (x, y) of its upper left cell, in cells of its own resolution from the upper left
            of the root's window; it may reach beyond that window.
    """

    template: Template
    anchor: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Detector:
    """A root template with parts.

    Attributes:
        root: What the whole looks like.
        parts: What it consists of.
        bias: Added to the score.
        name: What to call it.

    Raises:
        SettingError: Root and parts are not of one cell size, variant and binning.
    """

    root: Template
    parts: tuple[Part, ...] = ()
    bias: float = 0.0
    name: str = "detector"

    def __post_init__(self) -> None:
        object.__setattr__(self, "parts", tuple(self.parts))
        own = self.root.hog.extra_repr()
        for part in self.parts:
            other = part.template.hog.extra_repr()
            if other != own:
                raise SettingError(
                    f"the root of {self.name} is of HOG({own}), and its part "
                    f"{part.template.name} of HOG({other}): give all templates the same"
                )

    @classmethod
    def of_dpm(
        cls,
        model: DpmModel,
        component: int = 0,
        variant: Variant | None = None,
        binning: Binning = "bilinear",
    ) -> Detector:
        """Take a component of a deformable part model.

        Args:
            model: From `phosphene.formats.dpm.read_dpm`.
            component: Which of its views, counted from 0.
            variant: `"network"`, which leaves textures out as the authors do, or `"uoctti"`; the
                first if `None`.
            binning: As for `Template`.

        Raises:
            SettingError: There is no such component.
        """
        count = len(model.components)
        if not 0 <= component < count:
            raise SettingError(
                f"component {component} of {model.name} was asked for, and it has {count}, "
                "counted from 0"
            )
        chosen = model.components[component]
        kind: Variant = variant or "network"
        name = f"{model.name}, component {component}"

        def template(weights: object, what: str) -> Template:
            return Template(weights, model.cell, kind, binning, f"{name}, {what}")

        parts = [
            Part(template(part.weights, f"part {number}"), part.anchor)
            for number, part in enumerate(chosen.parts)
        ]
        return cls(template(chosen.root, "root"), tuple(parts), chosen.bias, name)

    @property
    def margin(self) -> int:
        """Cells around the root's window, at the parts' resolution: two at least, and even."""
        rows, columns = (2 * n for n in self.root.weights.shape[:2])
        over = [2]
        for part in self.parts:
            (x, y), (h, w) = part.anchor, part.template.weights.shape[:2]
            # A part needs a ring of cells of its own.
            over += [1 - x, 1 - y, x + w + 1 - columns, y + h + 1 - rows]
        return max(over) + max(over) % 2

    @property
    def size(self) -> tuple[int, int]:
        """(h, w) of the image, pixels, at the parts' resolution."""
        rows, columns = self.root.weights.shape[:2]
        around = 2 * self.margin
        return (2 * rows + around) * self.root.cell, (2 * columns + around) * self.root.cell

    def network(self) -> Network:
        """Return the detector as a network: its output is the score, parts at rest."""
        return scoring(_Composed(self), self.size, titled(self.name, self.root.hog))

    def maximum(self, seed: int = 0) -> float:
        """Return M: `<|w|, Phi(noise)>`, summed over root and parts, without the bias."""
        module = _Composed(self)
        module.bias = 0.0
        for buffer in module.buffers():
            buffer.abs_()
        return score_of_noise(module, self.size, seed)


class _Composed(nn.Module):
    """Scores of images of a detector's size: (b, 1, h, w) to (b, 1, 1, 1)."""

    def __init__(self, detector: Detector):
        super().__init__()
        self.hog, self.bias, self.size = detector.root.hog, detector.bias, detector.size
        margin = detector.margin
        self.corners = [(margin // 2, margin // 2)]
        self.corners += [(margin + y, margin + x) for x, y in (p.anchor for p in detector.parts)]
        templates = [detector.root, *(part.template for part in detector.parts)]
        for number, template in enumerate(templates):
            weights = template.weights.permute(2, 0, 1).clone()
            self.register_buffer(f"weights{number}", weights)

    def forward(self, image: Tensor) -> Tensor:
        if tuple(image.shape[2:]) != self.size:
            height, width = self.size
            raise ImageError(
                f"this detector scores images of {height}x{width} pixels, and "
                f"{image.shape[2]}x{image.shape[3]} were given"
            )
        coarse, fine = self.hog(avg_pool2d(image, 2)), self.hog(image)
        score = image.new_full((len(image),), self.bias)
        for number, (weights, (y, x)) in enumerate(zip(self.buffers(), self.corners, strict=True)):
            _, height, width = weights.shape
            cells = fine if number else coarse
            score = score + (cells[..., y : y + height, x : x + width] * weights).sum((1, 2, 3))
        return score.view(-1, 1, 1, 1)


def visualize_parts(
    detector: Detector,
    *,
    parts: Parts = "apart",
    strength: float = 1.0,
    repeats: int = 1,
    priors: Sequence[Term] | Energy = NATURAL,
    quality: Recipe | str | None = None,
    steps: int | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> PreImage:
    """Find a picture of a detector with parts, stretched to the full contrast.

    Args:
        detector: The detector.
        parts: `"apart"`, the root's image at twice its size with each part's over it, stretched
            one by one; or `"joint"`, one image that all of them score together.
        strength: C.
        repeats: How many pictures, from different noise.
        priors: Terms beside the objectives.
        quality: As for `visualize`.
        steps: In place of the recipe's iterations.
        seed: Start of the random numbers.
        watch: Progress, snapshots (of `"joint"` alone), states.

    Returns:
        The pictures, (repeats, 1, h, w) with the detector's size.

    Raises:
        SettingError: `parts` is neither, or there is no such quality.
    """
    if parts not in get_args(Parts):
        raise SettingError(f"{parts!r} is no way to show parts: choose 'apart' or 'joint'")
    watch = watch or Watch()

    def shown(scorer: Template | Detector, watch: Watch) -> PreImage:
        found = visualize(
            scorer, strength=strength, repeats=repeats, priors=priors, quality=quality,
            steps=steps, seed=seed, watch=watch,
        )  # fmt: skip
        return found.stretched()

    if parts == "joint":
        return shown(detector, watch)
    count = 1 + len(detector.parts)
    found = [shown(detector.root, watch.part(0, count))]
    for number, part in enumerate(detector.parts, 1):
        if not found[-1].interrupted:
            found.append(shown(part.template, watch.part(number, count)))
    return _laid_over(detector, found)


def _laid_over(detector: Detector, found: Sequence[PreImage]) -> PreImage:
    """Lay the images of parts over that of the root, without their rings of cells."""
    cell, margin, root = detector.root.cell, detector.margin, found[0]
    images = min(map(len, found))
    height, width = detector.size
    picture = root.image.new_full((images, 1, height, width), 0.5)

    def lay(image: Tensor, top: int, left: int) -> None:
        h, w = image.shape[2:]
        picture[..., top * cell : top * cell + h, left * cell : left * cell + w] = image[:images]

    lay(interpolate(root.image, scale_factor=2.0, mode="bilinear"), margin - 2, margin - 2)
    for part, own in zip(detector.parts, found[1:], strict=False):
        x, y = part.anchor
        lay(own.image[..., cell:-cell, cell:-cell], margin + y, margin + x)
    facts = {
        **root.facts,
        "network": titled(detector.name, detector.root.hog),
        "M": ", ".join(each.facts["M"] for each in found),
        "size": f"{height}x{width}",
        "parts": f"{len(found) - 1} of {len(detector.parts)}, each by itself",
        "contrast": "stretched, each by itself",
    }
    return replace(
        root,
        image=picture,
        names=(detector.name,) * images,
        trace=Trace.beside([each.trace for each in found]),
        network=facts["network"],
        facts=facts,
        warnings=tuple(dict.fromkeys(w for each in found for w in each.warnings)),
        frames=(),
        interrupted=any(each.interrupted for each in found),
    )
