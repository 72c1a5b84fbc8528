"""What is minimized: several classes at once, some of which do not count.

With scores s of n photographs and y = 1 for what is present, 0 for what is not:

    sigmoid   1/n sum_i sum_c [log(1 + exp(s_ic)) - y_ic s_ic],

over the classes that count (Kraehenbuehl et al., ICLR 2016, by their code): 20 questions with yes
or no. And

    softmax   1/n sum_i -1/|P_i| sum_{c in P_i} log(exp(s_ic) / sum_{c'} exp(s_ic')),

the thesis's words. It does not say what becomes of photographs that show several classes; here
those in P_i, all that are present, share the truth evenly. So no score can be high for each of two
classes by itself: where both are there, the best is that each takes half. Classes that do not count
are left out of the sum in the denominator, too; photographs that show no class add nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Kind = Literal["sigmoid", "softmax"]


def sigmoid_loss(scores: Tensor, present: Tensor) -> Tensor:
    """Compare scores with what is present, class by class.

    Args:
        scores: (n, classes).
        present: (n, classes), 1, 0, or -1 for what does not count.

    Returns:
        The sum over classes, averaged over photographs.
    """
    scores, known = scores.float(), present >= 0
    each = F.binary_cross_entropy_with_logits(
        scores, present.clamp(min=0).float(), reduction="none"
    )
    return (each * known).sum() / len(scores)


def softmax_loss(scores: Tensor, present: Tensor) -> Tensor:
    """Compare scores with what is present, all classes of a photograph together.

    Args:
        scores: (n, classes).
        present: (n, classes), 1, 0, or -1 for what does not count.

    Returns:
        The mean over photographs.
    """
    shown = (present == 1).to(torch.float32)
    # What is left out is no score at all; a finite one, as 0 times infinity is no number.
    held = scores.float().masked_fill(present < 0, -1e9)
    each = -(shown * torch.log_softmax(held, 1)).sum(1) / shown.sum(1).clamp(min=1)
    return each.sum() / len(scores)


LOSSES: dict[Kind, Callable[[Tensor, Tensor], Tensor]] = {
    "sigmoid": sigmoid_loss,
    "softmax": softmax_loss,
}
