"""Inversion on the embedded network and on a real one."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from phosphene import Network, Preprocessing, open_network
from phosphene.errors import (
    FormatError,
    ImageError,
    NotFinite,
    OutOfMemory,
    SettingError,
    UnitError,
)
from phosphene.preimage import job as job_module
from phosphene.preimage.codes import Codes
from phosphene.preimage.invert import RECIPES, USUAL, invert
from phosphene.preimage.masks import central, stream
from phosphene.preimage.watch import Watch, forget
from phosphene.zoo.demo import demo_scenes

QUICK = replace(USUAL, steps=12, second=5, convergence=None)


@pytest.fixture(scope="module")
def net() -> Network:
    return open_network("demo")


def test_an_early_layer_is_inverted(net: Network) -> None:
    scene = demo_scenes()[2].image
    result = invert(net, scene, "conv2", strength=300, quality="paper", steps=120)
    assert result.image.shape == (1, 3, 96, 96)
    assert result.error is not None
    assert result.error.item() < 0.25
    assert len(result.trace) == 170
    assert result.reference is not None
    gray = (result.image.mean(1).flatten(), result.reference.mean(1).flatten())
    assert torch.corrcoef(torch.stack(gray))[0, 1] > 0.9
    sooner = invert(net, scene, "conv2", strength=300)
    assert sooner.error is not None
    assert len(sooner.trace) < 300
    assert sooner.error.item() < 1.05 * result.error.item()


def test_repeats_differ_and_do_not_depend_on_each_other() -> None:
    net = open_network("demo")
    net.module.double()  # rounding in single precision grows over the steps
    scenes = [scene.image for scene in demo_scenes()[:2]]
    together = invert(net, scenes, "conv3", repeats=2, quality=QUICK, seed=5, jitter=1)
    assert together.names == ("image 0", "image 0", "image 1", "image 1")
    alone = invert(net, scenes[1], "conv3", quality=QUICK, seed=6, jitter=1)
    assert not torch.equal(together.image[2], together.image[3])
    torch.testing.assert_close(together.image[3], alone.image[0], rtol=0, atol=1e-4)
    again = invert(net, scenes[1], "conv3", quality=QUICK, seed=6, jitter=1)
    assert torch.equal(alone.image, again.image)
    assert [len(tiles) for _, tiles in together.panel().rows] == [3, 3]
    apart = invert(net, scenes, "conv3", repeats=2, quality=QUICK, seed=5, jitter=1, batch=3)
    assert apart.names == together.names
    torch.testing.assert_close(apart.image, together.image, rtol=0, atol=1e-4)
    assert apart.trace.objective.shape == together.trace.objective.shape


@pytest.mark.parametrize("mask", [torch.arange(64).view(64, 1, 1) < 32, stream(0, 2)])
def test_a_mask_matches_that_part_alone(net: Network, mask: object) -> None:
    scene = demo_scenes()[0].image
    result = invert(net, scene, "conv2", mask=mask, strength=300, steps=80)  # type: ignore[arg-type]
    image = net.prepare(scene)[0]
    with torch.no_grad():
        code, found = net["conv2"](image), net["conv2"](result.image)

    def error(part: slice) -> float:
        return float((found[:, part] - code[:, part]).norm() / code[:, part].norm())

    assert error(slice(0, 32)) < 0.6 * error(slice(32, 64))
    assert "masked" in result.facts["energy"]


def test_a_central_window_leaves_the_border_blank(net: Network) -> None:
    result = invert(net, demo_scenes()[0].image, "conv2", mask=central(5), steps=80)
    spread = result.image[0].flatten(1).std(1)
    border = torch.cat([result.image[0, :, :8].flatten(1), result.image[0, :, -8:].flatten(1)], 1)
    assert (border.std(1) < 0.3 * spread).all()


def test_codes_from_a_file_are_inverted(net: Network, tmp_path: Path) -> None:
    scenes = [scene.image for scene in demo_scenes()[:2]]
    with torch.no_grad():
        code = torch.cat([net["conv2"](net.prepare(scene)[0]) for scene in scenes])
    path = Codes(code, layer="conv2").save(tmp_path / "two.safetensors")
    read = invert(net, Codes.open(path), "conv2", quality=QUICK)
    assert read.names == ("two 0", "two 1")
    assert read.reference is None
    direct = invert(net, scenes, "conv2", quality=QUICK)
    torch.testing.assert_close(read.image, direct.image)
    with pytest.raises(UnitError, match="of layer 'conv2', and 'pool2' was asked for"):
        invert(net, Codes.open(path), "pool2")
    np.save(tmp_path / "one.npy", code[:1].numpy())
    torch.testing.assert_close(Codes.open(tmp_path / "one.npy").values, code[:1])
    with pytest.raises(UnitError, match=r"codes of another layer or input size"):
        invert(net, Codes(code[:, :3]), "conv2")
    for name, content in (("a.npy", b"PK\x03"), ("b.safetensors", b"x")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FormatError, match="cannot be read as codes"):
            Codes.open(tmp_path / name)
    with pytest.raises(FormatError, match="does not exist"):
        Codes.open(tmp_path / "nowhere.npy")
    np.save(tmp_path / "nan.npy", np.full((1, 2), np.nan))
    with pytest.raises(FormatError, match="NaN"):
        Codes.open(tmp_path / "nan.npy")


def test_gray_networks_are_inverted_by_their_luma() -> None:
    torch.manual_seed(3)
    module = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 5), torch.nn.ReLU())
    gray = Network(module, Preprocessing((24, 24), order="gray"))
    photo = torch.rand(3, 24, 24)
    result = invert(gray, photo, "1", strength=1e4)
    assert result.image.shape == (1, 1, 24, 24)
    assert result.error is not None
    assert result.error.item() < 0.1
    assert result.picture().mode == "RGB"


def test_the_model_and_the_random_state_stay(net: Network) -> None:
    torch.manual_seed(9)
    before = torch.random.get_rng_state()
    invert(net, demo_scenes()[0].image, "pool1", quality=QUICK)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(p.grad is None for p in net.module.parameters())
    with torch.inference_mode():
        inside = invert(net, demo_scenes()[0].image, "pool1", quality=QUICK)
    assert inside.error is not None


def test_ctrl_c_keeps_what_there_is_and_it_can_go_on(net: Network, tmp_path: Path) -> None:
    scene, states = demo_scenes()[0].image, tmp_path / "states"

    def press(done: int, total: int) -> None:
        if done == 7:
            os.kill(os.getpid(), signal.SIGINT)

    kept = invert(net, scene, "conv3", quality=QUICK, watch=Watch(press, states=states))
    assert kept.interrupted
    assert len(kept.trace) == 7
    assert list(states.iterdir())
    seen: list[int] = []
    watch = Watch(lambda done, total: seen.append(done), states=states)
    whole = invert(net, scene, "conv3", quality=QUICK, watch=watch)
    assert seen[0] == 8
    assert not whole.interrupted
    straight = invert(net, scene, "conv3", quality=QUICK)
    assert torch.equal(whole.image, straight.image)
    assert torch.equal(whole.trace.objective, straight.trace.objective)
    other = invert(net, scene, "conv3", quality=QUICK, seed=1, watch=replace(watch))
    assert not torch.equal(other.image, whole.image)
    forget(states)
    assert not states.exists()


def test_threads_are_not_asked_to_stop(net: Network) -> None:
    found = []
    thread = threading.Thread(
        target=lambda: found.append(invert(net, demo_scenes()[0].image, "conv1", quality=QUICK))
    )
    thread.start()
    thread.join()
    assert len(found) == 1


def test_snapshots_are_taken_on_the_way(net: Network) -> None:
    scene = demo_scenes()[0].image
    result = invert(net, scene, "conv2", quality=QUICK, watch=Watch(frames=4))
    assert len(result.frames) == 4
    assert result.frames[0].shape == (1, 3, 96, 96)
    last = (result.image * 255).round().byte()
    assert torch.equal(result.frames[-1], last)
    assert not torch.equal(result.frames[0], result.frames[-1])


def test_memory_that_ends_is_said_with_what_fits(
    net: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job_module.solve

    def short(phi, energy, recipe, start, seed, watch):  # type: ignore[no-untyped-def]
        if len(start.seeds) > 3:
            raise MemoryError
        return real(phi, energy, recipe, start, seed, watch)

    monkeypatch.setattr(job_module, "solve", short)
    with pytest.raises(OutOfMemory, match="for 8 images at a time: 2 fit, so give a batch of 2"):
        invert(net, demo_scenes()[0].image, "conv1", repeats=8, quality=QUICK, batch=8)
    result = invert(net, demo_scenes()[0].image, "conv1", repeats=4, quality=QUICK, batch=2)
    assert len(result) == 4


def test_errors(net: Network) -> None:
    scene = demo_scenes()[0].image
    with pytest.raises(ImageError, match="nothing to invert"):
        invert(net, [], "conv1")
    with pytest.raises(SettingError, match="0 repeats"):
        invert(net, scene, "conv1", repeats=0)
    with pytest.raises(SettingError, match="'fsat' is no quality; did you mean 'fast'"):
        invert(net, scene, "conv1", quality="fsat")
    with pytest.raises(UnitError, match=r"mask of shape \(7,\)"):
        invert(net, scene, "conv1", mask=torch.ones(7))
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.ReLU())
    module[0].bias.data.copy_(torch.tensor([-1e3, 1e3]))
    half = Network(module, Preprocessing((16, 16)))
    with pytest.raises(UnitError, match="left by the mask is 0 on image 0"):
        invert(half, torch.rand(3, 16, 16), "1", mask=stream(0, 2))
    with pytest.raises(UnitError, match="leaves nothing"):
        invert(net, scene, "conv1", mask=torch.zeros(1))
    with pytest.raises(UnitError, match="window of 200x200 positions does not fit a map of"):
        invert(net, scene, "conv1", mask=central(200))
    with pytest.raises(UnitError, match="have no group 1 of 1"):
        invert(net, scene, "conv1", mask=stream(1, 1))
    with pytest.raises(NotFinite, match="step 0"):
        invert(net, scene, "conv1", strength=float("inf"), quality=QUICK)


def test_a_stretched_photograph_is_said() -> None:
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    net = Network(module, Preprocessing((32, 32), resize="stretch"))
    wide = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 80, 3), np.uint8))
    result = invert(net, wide, "1", quality=QUICK)
    assert "80x40" in result.warnings[0]
    assert "too tall" in result.warnings[0]
    assert result.panel().warnings == result.warnings
    square = wide.crop((0, 0, 40, 40))
    assert invert(net, square, "1", quality=QUICK).warnings == ()


def test_recipes_are_what_they_say() -> None:
    assert RECIPES["paper"].convergence is None
    assert (RECIPES["paper"].steps, RECIPES["paper"].second) == (300, 50)
    assert USUAL.convergence is not None


@pytest.mark.slow
def test_a_real_network_is_inverted(shared: Path) -> None:
    net = open_network(shared / "data" / "squeezenet" / "squeezenet.caffemodel")
    photograph = shared / "data" / "imagenet_sample" / "n01558993.jpg"
    result = invert(net, photograph, "pool1", strength=300)
    assert result.error is not None
    assert result.error.item() < 0.22
