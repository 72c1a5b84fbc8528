"""What regions come to: how far they hang on the place, and overlap with what is there."""

from __future__ import annotations

import math

import numpy as np
import torch

from phosphene.pretext.learners import GroupingLearner
from phosphene.pretext.pretraining.validation import Validation
from phosphene.pretext.region_scores import (
    PlaceBinding,
    best_foreground_iou,
    matched_iou,
)


@torch.no_grad()
def region_facts(
    learner: GroupingLearner, validation: Validation, labelled: bool
) -> dict[str, str]:
    """Go through a validation set once more and say what its regions are like.

    Args:
        learner: What divides images.
        validation: The set.
        labelled: Whether it knows whose each pixel is.

    Returns:
        `regions and places`: the mutual information of region and place, and the entropy of the
        regions, which is the most it can be; `overlap with objects`: the mean over images and
        objects of their overlap, under the best assignment in every image; `overlap with
        foreground`: that of the best union of regions with what is not ground (0), over images
        that have any.
    """
    device = next(p.device for p in learner.parameters())
    binding, overlaps, fronts = PlaceBinding(), list[float](), list[float]()
    for batch in validation.batches(labels=labelled):
        masks = learner.masks(batch.image.to(device))
        binding.see(masks)
        if batch.labels is not None:
            for found, truth in zip(
                masks.argmax(1).cpu().numpy(), batch.labels.numpy(), strict=True
            ):
                overlaps.append(matched_iou(found, truth.astype(np.int64)))
                if (truth > 0).any():
                    fronts.append(best_foreground_iou(found, truth > 0))
    information, entropy = binding.information()
    share = f" ({information / entropy:.0%})" if entropy > 1e-9 else ""
    facts = {
        "regions and places": f"{information:.4f} of {entropy:.4f} nats in common{share}",
        "regions in use": f"{math.exp(entropy):.2f} of {learner.network.scores[0].out_channels}",
    }
    if overlaps:
        facts["overlap with objects"] = f"{np.mean(overlaps):.4f} over {len(overlaps)} images"
    if fronts:
        facts["overlap with foreground"] = f"{np.mean(fronts):.4f} over {len(fronts)} images"
    return facts
