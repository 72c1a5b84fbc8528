"""Cross-pixel flow similarity, equation by equation, one pair of pixels at a time."""

from __future__ import annotations

import math

Rows = list[list[float]]


def cosine_kernel(embedding: Rows) -> Rows:
    def length(v: list[float]) -> float:
        return math.sqrt(sum(x * x for x in v))

    return [
        [
            0.25 * sum(x * y for x, y in zip(p, q, strict=True)) / (length(p) * length(q))
            for q in embedding
        ]
        for p in embedding
    ]


def flow_kernel(flow: Rows, sigma2: float) -> Rows:
    return [
        [math.exp(-((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2) / (2 * sigma2)) for q in flow]
        for p in flow
    ]


def distributions(kernel: Rows) -> Rows:
    """Equations 3.5 and 3.6."""
    made = []
    for p, row in enumerate(kernel):
        total = sum(math.exp(k) for q, k in enumerate(row) if q != p) + 1
        made.append([(1 if q == p else math.exp(k)) / total for q, k in enumerate(row)])
    return made


def cross_entropy(target: Rows, other: Rows) -> float:
    """Equation 3.4, as a mean over pixels."""
    total = 0.0
    for p in range(len(target)):
        for q in range(len(target)):
            total -= target[p][q] * math.log(other[p][q])
    return total / len(target)


def alignment(one: Rows, other: Rows) -> float:
    """Equation 3.3."""
    n = range(len(one))
    both = sum(one[p][q] * other[p][q] for p in n for q in n)
    squares = [sum(k[p][q] ** 2 for p in n for q in n) for k in (one, other)]
    return both / math.sqrt(squares[0] * squares[1])


def loss(kind: str, embedding: Rows, flow: Rows, sigma2: float) -> float:
    phi, f = cosine_kernel(embedding), flow_kernel(flow, sigma2)
    if kind == "alignment":
        return 1 - alignment(phi, f)
    s_phi, s_f = distributions(phi), distributions(f)
    return cross_entropy(s_f, s_phi) if kind == "cross-entropy" else cross_entropy(s_phi, s_f)
