"""What holds for every public call, on every network, by every rule."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from phosphene.core.network import Network
from phosphene.core.reversal import backward
from phosphene.core.rules import DECONVNET, GUIDED, LATTICE, SALIENCY, Reversal
from phosphene.core.unit import Unit
from phosphene.errors import NetworkError, PhospheneError, UnitError
from phosphene.saliency.explain import explain, explain_many
from phosphene.saliency.ten_crop import ten_crop
from tests.contract_networks import CLASSES, NETWORKS, SIDE, Case, Trace, fuse, untouched

each_network = pytest.mark.parametrize("case", NETWORKS, ids=lambda c: c.id)

UNITS = (
    Unit.strongest(),
    Unit(3),
    Unit(2, at="centre"),
    Unit(1, at=(1, 2)),
    Unit(4, at="positive"),
    Unit.random(5),
    Unit.mixture(6),
    Unit.code(),
    Unit.noise(7, positive=False),
)


ATTENTION = ("excitation", "contrastive@image", "grad-cam")
# One of each kind, where sixteen would only take longer.
FEW = (SALIENCY, DECONVNET, GUIDED, Reversal("mask+rectify", "centre", "identity"))


def photograph(seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 41, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def signal(net: Network, case: Case, rule: Reversal, p: Tensor) -> Tensor:
    return backward(net[case.layer].tape(case.image(len(p))), p, rule)


Call = Callable[[Network, Case], Any]

CALLS: dict[str, Call] = {
    "explain": lambda net, case: [s.signal for s in explain(net, case.image())],
    "explain a layer": lambda net, case: [
        s.signal for s in explain(net, case.image(2), list(UNITS), list(FEW), layer=case.layer)
    ],
    "explain to": lambda net, case: [
        s.signal for s in explain(net, case.image(), layer=case.layer, to=case.inner)
    ],
    "explain attention": lambda net, case: [
        s.map for s in explain(net, case.image(2), [Unit(0), Unit(3)], list(ATTENTION), layer=None)
    ],
    "explain_many": lambda net, case: [
        s.signal for e in explain_many(net, [*case.image(3)], batch=2) for s in e
    ],
    "ten_crop": lambda net, case: [s.map for s in ten_crop(net, photograph(), rules=list(FEW))],
    "backward": lambda net, case: signal(net, case, SALIENCY, Unit(0).plant(cut(net, case)).p),
    "record": lambda net, case: net.record(case.image(2), [case.inner, case.layer]),
    "layers": lambda net, case: net.layers(),
    "classify": lambda net, case: net.classify(case.image()),
    "receptive_field": lambda net, case: net.receptive_field(case.layer),
    "representation": lambda net, case: net[case.layer](case.image(2)),
    "output": lambda net, case: net(case.image(2)),
    "tape": lambda net, case: net.output.tape(case.image()).census,
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())


def cut(net: Network, case: Case, batch: int = 1) -> Tensor:
    return net[case.layer](case.image(batch)).detach()


def skip_impossible(case: Case, call: Call) -> None:
    if call is CALLS["ten_crop"] and case.order == "any":
        pytest.skip("takes no photographs")


# What comes out


@each_network
def test_shapes_types_and_names(case: Case) -> None:
    net = case.build()
    made = explain(net, case.image(2), ["bee", 5], list(LATTICE))
    assert len(made) == 2 * 16
    assert made.image.shape == (2, case.channels, SIDE, SIDE)
    for saliency, rule in zip(made, [*LATTICE, *LATTICE], strict=True):
        assert saliency.rule == rule
        assert saliency.signal.shape == (2, case.channels, SIDE, SIDE)
        assert saliency.map.shape == (2, 1, SIDE, SIDE)
        assert saliency.signal.dtype == saliency.map.dtype == case.dtype
        assert saliency.signal.device == net.device
        assert not saliency.signal.requires_grad
        assert torch.isfinite(saliency.signal).all()
        assert saliency.channel.shape == saliency.score.shape == (2,)
        assert saliency.at.shape == (2, 2)
        assert str(saliency.census) == str(made[0].census)
        magnitude = saliency.signal.abs().amax(1, keepdim=True)
        assert torch.equal(saliency.map, magnitude)
        if case.channels == 1:  # the gray map is |w|
            assert torch.equal(saliency.map, saliency.signal.abs())
    assert [s.channel.tolist() for s in made][::16] == [[1, 1], [5, 5]]
    assert made.labels[1] == "bee"
    assert len(made.top) == 2
    assert sum(p for _, p in made.top[0]) <= 1.01


@each_network
def test_attention_has_the_shape_of_the_image(case: Case) -> None:
    net, images = case.build(), case.image(2)
    with untouched(net):
        made = explain(net, images, ["bee", 5], list(ATTENTION))
    for saliency, rule in zip(made, [*ATTENTION, *ATTENTION], strict=True):
        assert str(saliency.rule) == rule
        assert saliency.map.shape == (2, 1, SIDE, SIDE)
        assert saliency.map.dtype == case.dtype
        assert torch.isfinite(saliency.signal).all()
        assert (saliency.map >= 0).all()
    alone = explain(net, images[1], 5, list(ATTENTION))
    for one, other in zip(alone, made.saliencies[3:], strict=True):
        case.close(one.map[0], other.map[1])


@each_network
def test_ten_crops_and_panels_work_everywhere(case: Case) -> None:
    net = case.build()
    if case.order == "any":
        with pytest.raises(PhospheneError, match="photograph"):
            ten_crop(net, photograph())
    else:
        (saliency,) = made = ten_crop(net, photograph(), "dog")
        assert saliency.map.shape == (1, 1, 30, 41)
        assert saliency.signal.dtype == case.dtype
        assert len(made.panel().rows[0][1]) == 3
    panel = explain(net, case.image(2), [Unit(1), Unit.random()], layer=case.layer).panel()
    assert [len(tiles) for _, tiles in panel.rows] == [5] * 4


@each_network
def test_the_same_twice_and_in_a_batch(case: Case) -> None:
    """One image gives the same alone, again, and beside others; units alone and in a list."""
    net = case.build()
    images, rules = case.image(3), list(LATTICE)
    with untouched(net):
        together = explain(net, images, list(UNITS), rules, layer=case.layer)
    again = explain(net, images, list(UNITS), rules, layer=case.layer)
    for i in range(3):
        alone = explain(net, images[i], list(UNITS), rules, layer=case.layer)
        for one, two, three in zip(together, again, alone, strict=True):
            assert torch.equal(one.signal, two.signal)
            case.close(three.signal[0], one.signal[i])
            assert three.channel[0] == one.channel[i]
            assert torch.equal(three.at[0], one.at[i])
        scores = (torch.stack([s.score[j] for s in e]) for e, j in ((alone, 0), (together, i)))
        case.close(*scores)
    for j, unit in enumerate(UNITS):
        for k, saliency in enumerate(explain(net, images, unit, rules, layer=case.layer)):
            case.close(saliency.signal, together[16 * j + k].signal)


@each_network
def test_linear_or_homogeneous_in_the_seed(case: Case) -> None:
    net = case.build()
    tape = net[case.layer].tape(case.image(2))
    draw = torch.Generator().manual_seed(0)
    p, q = (torch.randn(tape.activation.shape, generator=draw).to(case.dtype) for _ in range(2))
    for rule in LATTICE:
        of_p, of_q = backward(tape, p, rule), backward(tape, q, rule)
        assert of_p.abs().max() > 0
        case.close(backward(tape, 4 * p, rule), 4 * of_p)  # a power of two rounds nothing
        of_sum = backward(tape, p + q, rule)
        if rule.relu in ("mask", "identity"):
            case.close(of_sum, of_p + of_q)
            case.close(backward(tape, -p, rule), -of_p)
        else:
            assert not torch.allclose(of_sum, of_p + of_q, rtol=0.05, atol=0)


@each_network
def test_saliency_is_the_derivative_in_evaluation_mode(case: Case) -> None:
    """By plain autograd on a twin in evaluation mode, through the preprocessing."""
    net, twin = case.build(), case.build()
    twin.module.eval()
    image = case.image(2).requires_grad_()
    best = int(cut(net, case, 2).amax((0, 2, 3)).argmax())
    made = explain(net, image.detach(), Unit(best, at="positive"), SALIENCY, layer=case.layer)
    preprocessing = net.preprocessing
    view = [1, -1, 1, 1]
    x = image.flip(1) if case.order == "BGR" else image
    mean, std = (torch.tensor(v, dtype=case.dtype).view(view) for v in (
        preprocessing.mean, preprocessing.std
    ))  # fmt: skip
    seen: list[Tensor] = []
    handle = twin.module.get_submodule(case.layer).register_forward_hook(
        lambda *args: seen.append(args[2].clone())
    )
    with torch.compiler.set_stance("force_eager"):
        twin.module((x * 2 - mean) / std)
    handle.remove()
    activation = seen[0][:, best]
    score = torch.where(activation.detach() > 0, activation, 0).sum()
    (wanted,) = torch.autograd.grad(score, image)
    assert wanted.abs().max() > 0
    case.close(made[0].signal, wanted)


# What stays as it was


@each_network
@each_call
def test_nothing_is_changed(case: Case, call: Call) -> None:
    skip_impossible(case, call)
    net = case.build()
    with untouched(net):
        call(net, case)
    with untouched(net):  # once more, with what the network has remembered
        call(net, case)


@each_network
def test_the_image_is_not_changed(case: Case) -> None:
    net, image = case.build(), case.image(2)
    image.requires_grad_()
    copy = image.detach().clone()
    photo = np.full((30, 41, 3), 99, dtype=np.uint8)
    explain(net, image, rules=list(LATTICE))
    net.record(image, [case.inner])
    net[case.inner](image).detach()
    net.output.tape(image)
    if case.order != "any":
        explain(net, photo)
        ten_crop(net, photo)
    assert torch.equal(image, copy)
    assert image.grad is None
    assert image.is_leaf
    assert (photo == 99).all()


FORWARD = [name for name in CALLS if name != "ten_crop"]
BACKWARD = ["explain", "explain a layer", "explain_many", "backward", "ten_crop"]


@each_network
@pytest.mark.parametrize("error", [KeyboardInterrupt, KeyError, RuntimeError])
def test_nothing_is_changed_when_a_layer_raises(case: Case, error: type[BaseException]) -> None:
    net = case.build()
    wanted = NetworkError if error is RuntimeError else error
    for name in FORWARD:
        call = CALLS[name]
        fuse(net).forward_error = error("in the middle")
        with untouched(net), pytest.raises(wanted, match="in the middle"):
            call(net, case)
        fuse(net).forward_error = None
        if name in ("explain", "layers"):
            call(net, case)  # and all is well again


@each_network
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_changed_when_the_way_back_raises(
    case: Case, error: type[BaseException]
) -> None:
    net = case.build()
    for name in BACKWARD:
        if name == "ten_crop" and case.order == "any":
            continue
        before = CALLS[name](net, case)
        fuse(net).backward_error = error("on the way back")
        with untouched(net), pytest.raises(error, match="on the way back"):
            CALLS[name](net, case)
        fuse(net).backward_error = None
        for one, two in zip(CALLS[name](net, case), before, strict=True):
            assert torch.equal(one.nan_to_num(), two.nan_to_num())


@each_network
def test_nothing_is_changed_by_a_bad_question(case: Case) -> None:
    net, image = case.build(), case.image()
    with untouched(net), pytest.raises(UnitError, match=r"\(9, 9, 9\) does not fit"):
        explain(net, image, Unit.given(torch.ones(9, 9, 9)))
    with untouched(net), pytest.raises(RuntimeError):
        backward(net[case.layer].tape(image), torch.ones(1, 2, 3, 4, dtype=case.dtype))
    with untouched(net), pytest.raises(PhospheneError):
        explain(net, case.image()[:, :, :2, :2])
    for question in (
        {"unit": Unit(99)}, {"unit": "zebra"}, {"rules": "gided"}, {"layer": "conv9"},
        {"to": "conv9"}, {"unit": Unit(0, at=(99, 0)), "layer": case.layer},
    ):  # fmt: skip
        with untouched(net), pytest.raises(PhospheneError):
            explain(net, image, **question)


# Where it is called from


MODES: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "gradients": torch.enable_grad,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
}


@each_network
@pytest.mark.parametrize("mode", ["no_grad", "inference_mode"])
def test_every_mode_of_the_caller(case: Case, mode: str) -> None:
    net = case.build()
    with MODES[mode]():
        made_inside = case.image(2)
    wanted = explain(net, case.image(2), list(UNITS), list(FEW), layer=case.layer)
    classes = explain(net, case.image(2))
    output, activations = net.record(case.image(2), [case.layer])
    for image in (case.image(2), made_inside):
        for context in (MODES[mode], nullcontext):
            with context():
                got = explain(net, image, list(UNITS), list(FEW), layer=case.layer)
                top = explain(net, image)
                again, seen = net.record(image, [case.layer])
                given = Unit.given(seen[case.layer])
                explain(net, image, given, list(FEW), layer=case.layer)
                assert net[case.layer](image).shape == seen[case.layer].shape
                assert str(net.scores.tape(image).census) == str(classes[0].census)
                assert net.layers() == net.layers()
            for one, two in zip([*wanted, *classes], [*got, *top], strict=True):
                assert torch.equal(one.signal, two.signal)
            assert torch.equal(output, again)
            assert torch.equal(activations[case.layer], seen[case.layer])


@each_network
def test_four_threads_at_once(case: Case) -> None:
    """Different rules, layers and images at the same time, on one model."""
    net = case.build()
    layers = [case.layer, None, case.inner, "record"]

    def job(i: int) -> list[Tensor]:
        image, layer = case.image(1 + i % 2, seed=i), layers[i % 4]
        if layer == "record":
            output, seen = net.record(image, [case.inner, case.layer])
            return [output, *seen.values()]
        rule = SALIENCY if layer == case.inner else LATTICE[i % 16]
        return [s.signal for s in explain(net, image, Unit(i % 6), [rule, SALIENCY], layer=layer)]

    wanted = [job(i) for i in range(16)]
    start = threading.Barrier(4)

    def late(i: int) -> list[Tensor]:
        if i < 4:
            start.wait(timeout=60)
        return job(i)

    with untouched(net):
        with ThreadPoolExecutor(4) as pool:
            got = list(pool.map(late, range(16)))
    for one, two in zip(got, wanted, strict=True):
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            assert torch.equal(a, b)


@each_network
def test_no_tape_outlives_its_call(case: Case) -> None:
    net, image = case.build(), case.image()
    calls = [name for name in CALLS if name != "ten_crop" or case.order != "any"]
    for name in calls:
        CALLS[name](net, case)
    gc.collect()
    Trace.alive.clear()  # of tests that failed before
    kept = []
    gc.disable()
    try:
        kept.append(explain(net, image))
        # Not even until the next collection of garbage: a tape may hold gigabytes.
        assert not Trace.alive
        for name in set(calls) - {"representation", "output"}:
            CALLS[name](net, case)
            assert not Trace.alive, name
    finally:
        gc.enable()


def test_thirty_explanations_leave_no_tensors() -> None:
    case = NETWORKS[0]
    net, image = case.build(), case.image()

    def count() -> int:
        gc.collect()
        return sum(issubclass(type(entry), Tensor) for entry in gc.get_objects())

    explain(net, image, list(UNITS), list(LATTICE), layer=case.layer)
    before = count()
    for _ in range(30):
        explain(net, image, list(UNITS), list(LATTICE), layer=case.layer)
    assert count() <= before


def test_probabilities_are_those_of_the_module() -> None:
    for case in NETWORKS:
        net, twin = case.build(), case.build().module.eval()
        x = net.preprocessing.normalize(case.image(2))
        with torch.no_grad(), torch.compiler.set_stance("force_eager"):
            output = twin(x)
        output = output[0] if isinstance(output, tuple) else output
        scores = output["out"] if isinstance(output, dict) else output
        case.close(net.probabilities(case.image(2)), scores.float().softmax(1))
        assert net.classes == CLASSES
        best = net.classify(case.image())
        assert len(best) == 5
        assert best[0][0] == net.labels[int(scores[0].argmax())]
