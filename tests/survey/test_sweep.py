"""Sweeps: what is recorded, in which batches; interrupted, killed, refused, and gone on with."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from phosphene.core.network import Network
from phosphene.core.preprocessing import Preprocessing
from phosphene.core.seed import as_maps
from phosphene.errors import (
    ImageError,
    NetworkError,
    OutOfMemory,
    OutputError,
    SettingError,
    UnknownLayer,
)
from phosphene.survey.images import open_images
from phosphene.survey.store import Survey, store
from phosphene.survey.sweep import sweep
from phosphene.survey.sweeping.ahead import groups
from phosphene.survey.sweeping.showing import Showing, laid, quickest
from phosphene.survey.top_patches import TopPatches
from phosphene.zoo.demo import demo
from tests.survey.image_files import folder, noise
from tests.survey.totals import Totals, alike

LAYERS = ("conv1", "relu3", "fc7")


def one_by_one(net: Network, images: Any, layers: Any, batch: int = 1) -> dict[str, Tensor]:
    """The sums of `Totals` by the plainest way: every image by itself, every value copied.

    The network is shown the images in the order in memory in which a sweep shows them, as its
    kernels for another order round differently.
    """
    sums: dict[str, Tensor] = {}
    for key, _ in images:
        image, _ = net.prepare(images.read(key))
        _, codes = net.record(laid(image, quickest(net)), layers)
        for layer in layers:
            bits = as_maps(codes[layer])[0].float().contiguous().view(torch.int32).long()
            sums[layer] = sums.get(layer, 0) + (bits * (2 * key + 1)).sum((0, 2, 3))
    return sums


def test_every_layer_of_every_image(tmp_path: Path) -> None:
    net, images = demo(), open_images(folder(tmp_path, 70, (100, 120)))
    totals = Totals(LAYERS)
    swept = sweep(net, images, {"totals": totals}, batch=1)
    assert (swept.count, swept.failed, swept.interrupted) == (70, {}, False)
    wanted = one_by_one(net, images, LAYERS)
    state = totals.state()
    for layer in LAYERS:
        assert torch.equal(state[f"sum/{layer}"], wanted[layer])
    assert swept.layers["relu3"].channels == 80
    assert (swept.layers["relu3"].height, swept.layers["relu3"].width) == (11, 11)
    assert swept.layers["relu3"].field == net.receptive_field("relu3")
    assert swept.layers["fc7"].height == 1


def test_batches_never_cross_parts(tmp_path: Path) -> None:
    images = open_images(folder(tmp_path, 130, (4, 4)))
    totals = Totals(["conv1"])
    sweep(demo(), images, {"totals": totals}, batch=48)
    sizes = [int(b) % 1000 for b in totals.state()["batches"]]
    assert sizes == [48, 16, 48, 16, 2]


class InPlace(nn.Module):
    """Overwrites what its convolutions put out, and for dark images once more."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 5, 3)
        self.relu, self.head = nn.ReLU(inplace=True), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.two(self.relu(self.one(x)))
        if x.mean() < 0:
            x.data.clamp_(min=-0.1)
            x.add_(1)
        return self.head(x.mean((2, 3)))


def test_what_is_overwritten_in_place(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Network(InPlace().eval(), Preprocessing((16, 16)))
    dark = [noise(0, (16, 16)).point(lambda v: v // 50)]
    images = open_images([noise(i, (16, 16)) for i in range(3)] + dark)
    for bias in (-5.0, 5.0):
        with torch.no_grad():
            net.module.two.bias.fill_(bias)  # type: ignore[union-attr]
        layers = ["one", "relu", "two", "head"]
        totals = Totals(layers)
        sweep(net, images, {"totals": totals}, batch=1)
        wanted = one_by_one(net, images, layers)
        for layer in layers:
            assert torch.equal(totals.state()[f"sum/{layer}"], wanted[layer]), layer


def test_half_precision_and_whole_photographs(tmp_path: Path) -> None:
    folder(tmp_path, 3, (100, 140))
    noise(9, (130, 100)).save(tmp_path / "last.png")
    net = demo()
    totals = Totals(["conv1"])
    sweep(net, open_images(tmp_path), {"totals": totals}, whole=True, batch=3)
    assert [int(b) % 1000 for b in totals.state()["batches"]] == [3, 1]
    torch.manual_seed(0)
    half = Network(nn.Sequential(nn.Conv2d(3, 4, 3)).bfloat16().eval(), Preprocessing((16, 16)))
    images = open_images(tmp_path)
    sums = Totals(["0"])
    assert sweep(half, images, {"totals": sums}, batch=1).count == 4
    assert torch.equal(sums.state()["sum/0"], one_by_one(half, images, ["0"])["0"])


def test_the_output_is_a_layer_too(tmp_path: Path) -> None:
    net, images = demo(), open_images(folder(tmp_path, 3))
    totals = Totals(["", "fc8"])
    swept = sweep(net, images, {"totals": totals})
    state = totals.state()
    assert torch.equal(state["sum/"], state["sum/fc8"])
    assert swept.layers[""].channels == 10


def test_corrupt_images_are_named_and_passed_over(tmp_path: Path) -> None:
    folder(tmp_path, 6)
    (tmp_path / "001.png").write_bytes(b"no image")
    (tmp_path / "005.png").write_bytes((tmp_path / "004.png").read_bytes()[:80])
    seen: list[tuple[int, int | None]] = []
    totals = Totals(["conv1"])
    swept = sweep(
        demo(), open_images(tmp_path), {"totals": totals}, batch=2,
        tick=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert swept.count == 4
    assert sorted(swept.failed) == ["001.png", "005.png"]
    assert "no image that can be read" in swept.failed["001.png"]
    assert totals.state()["keys"].tolist() == [0, 2, 3, 4]
    assert seen[-1] == (6, 6)


def test_a_part_that_cannot_be_read_on(tmp_path: Path) -> None:
    from tests.survey.image_files import png, shard

    paths = [shard(tmp_path / f"{n}.tar", {f"{i}.png": png(i) for i in range(3)}) for n in range(2)]
    paths[1].write_bytes(paths[1].read_bytes()[:6000])
    swept = sweep(demo(), open_images(tmp_path), {"totals": Totals(["conv1"])})
    assert swept.count == 5
    assert list(swept.failed) == ["1.tar"]


def test_interrupted_and_gone_on_with(tmp_path: Path) -> None:
    images = open_images(folder(tmp_path / "photos", 70))
    whole = Totals(LAYERS)
    sweep(demo(), images, {"totals": whole}, batch=8)

    def press(done: int, total: int | None) -> None:
        if done in (24, 48):
            os.kill(os.getpid(), signal.SIGINT)

    counts = []
    for _ in range(4):
        totals = Totals(LAYERS)
        swept = sweep(
            demo(), images, {"totals": totals}, batch=8, folder=tmp_path / "out", tick=press
        )
        counts.append((swept.count, swept.interrupted))
    assert counts == [(24, True), (48, True), (70, False), (70, False)]
    assert alike(totals, whole)


KILLED = """
import sys
from phosphene.survey.images import open_images
from phosphene.survey.sweep import sweep
from phosphene.survey.top_patches import TopPatches
from phosphene.zoo.demo import demo
from tests.survey.totals import Totals
photos, out, seconds = sys.argv[1:]
def tick(done, total):
    print(done, flush=True)
sweep(demo(), open_images(photos), {"totals": Totals(("conv1", "relu3", "fc7"))}, batch=4,
      folder=out, every=float(seconds), tick=tick)
print("end", flush=True)
"""


def start(photos: Path, out: Path, every: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(photos), str(out), str(every)],
        stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
    )  # fmt: skip


def read_until(process: subprocess.Popen[str], done: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip().isdigit() and int(line) >= done:
            return
    raise AssertionError("it ended too early")


@pytest.mark.slow
def test_two_jobs_into_one_folder_and_one_is_killed(tmp_path: Path) -> None:
    """The second is refused; kill -9 of the first, and what comes out at last is the same."""
    photos, out = folder(tmp_path / "photos", 100), tmp_path / "out"
    whole = Totals(LAYERS)
    sweep(demo(), open_images(photos), {"totals": whole}, batch=4)
    process = start(photos, out, 1e-6)
    read_until(process, 40)
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(OutputError, match=rf"is being written by process {process.pid} on"):
            sweep(demo(), open_images(photos), {"totals": Totals(LAYERS)}, folder=out)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    totals = Totals(LAYERS)
    seen: list[int] = []
    swept = sweep(
        demo(), open_images(photos), {"totals": totals}, batch=4, folder=out,
        tick=lambda done, total: seen.append(done),
    )  # fmt: skip
    assert seen[0] > 36  # it did go on; a dead job's lock is none
    assert swept.count == 100
    assert alike(totals, whole)


def test_names_with_slashes(tmp_path: Path) -> None:
    """As Caffe's networks have them: through a state on disk, gone on with, stored and opened."""
    from phosphene.survey.correlation import Correlation
    from phosphene.survey.quantiles import Quantiles
    from phosphene.survey.statistics import Statistics

    torch.manual_seed(0)
    parts = {"fire8/squeeze/relu": nn.Conv2d(3, 4, 3), "fire9/concat": nn.Conv2d(4, 5, 3)}
    net = Network(nn.Sequential(OrderedDict(parts)).eval(), Preprocessing((16, 16)), name="a/b")
    images = open_images(folder(tmp_path / "photos", 12))
    layers = tuple(parts)

    def made() -> dict[str, Any]:
        exact = Quantiles(layers, 0.9, exact=True)
        return {
            "top patches": TopPatches(layers, 3), "quantiles": exact,
            "sampled": Quantiles(layers, 0.9, positions=64),
            "statistics": Statistics(layers), "correlation": Correlation(layers),
        }  # fmt: skip

    def press(done: int, total: int | None) -> None:
        if done == 4:
            os.kill(os.getpid(), signal.SIGINT)

    whole, begun, last = made(), made(), made()
    sweep(net, images, whole, batch=4)
    out = tmp_path / "out"
    assert sweep(net, images, begun, batch=4, folder=out, tick=press).interrupted
    swept = sweep(net, images, last, batch=4, folder=out)
    assert (swept.count, swept.interrupted) == (12, False)
    survey = store(out, swept, net, images)
    assert tuple(Survey.open(out).layers) == layers
    kept = {name: survey.collector(name) for name in ("top patches", "quantiles", "statistics")}
    for found in (last, kept):
        for layer in layers:
            for unit in range(4):
                assert found["top patches"].of(layer, unit) == whole["top patches"].of(layer, unit)
            assert torch.equal(found["quantiles"].of(layer), whole["quantiles"].of(layer))
            one, other = (c["statistics"].of(layer).maximum for c in (found, whole))
            assert (one == other).all()
    for layer in layers:
        assert torch.equal(last["sampled"].of(layer), whole["sampled"].of(layer))
        one, other = (c["correlation"].matrix(layer) for c in (last, whole))
        assert torch.allclose(one, other, atol=1e-9)


def test_a_full_disk_half_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images, out = open_images(folder(tmp_path / "photos", 40)), tmp_path / "out"
    replace, calls = os.replace, []

    def full(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(*arguments)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        sweep(demo(), images, {"t": Totals(LAYERS)}, batch=4, folder=out, every=1e-6)
    monkeypatch.undo()
    assert [p.name for p in out.iterdir() if p.suffix == ".part"] == []
    seen: list[int] = []
    totals = Totals(LAYERS)
    sweep(
        demo(), images, {"t": totals}, batch=4, folder=out,
        tick=lambda done, total: seen.append(done),
    )  # fmt: skip
    assert seen[0] == 16  # three states of four images each, and one more batch
    whole = Totals(LAYERS)
    sweep(demo(), images, {"t": whole}, batch=4)
    assert alike(totals, whole)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"images": 2}, "other images (there a, here b)"),
        ({"more": 1}, "other images (a has changed since)"),
        ({"network": True}, "other weights or code of demo"),
        ({"named": "other"}, "another network (there demo, here other)"),
        ({"layers": ("conv1",)}, "more layers (also relu3, fc7)"),
        ({"layers": (*LAYERS, "fc8")}, "fewer layers (not fc8)"),
        ({"layers": ("conv1", "relu2", "fc7")}, "other layers (there relu3, here relu2)"),
        ({"layers": LAYERS[::-1]}, "its layers in another order"),
        ({"salt": 1}, "another salt of 't' (there 0, here 1)"),
        (
            {"salt": 1, "layers": ("relu2", *LAYERS)},
            "fewer layers (not relu2) and another salt of 't' (there 0, here 1)",
        ),
        ({"salt": "0123456789abcdef"}, "another salt of 't'"),
        ({"salt": True}, "'t' not salt"),
        ({"call": "u"}, "more collectors (also t) and fewer collectors (not u)"),
        ({"kind": TopPatches}, "another 't' (there Totals, here TopPatches)"),
        ({"whole": True}, "the centres of photographs (here whole ones)"),
    ],
)
def test_another_sweep_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    net, salt = demo(), change.get("salt", 0)
    folder(Path("a"), 3)
    folder(Path("b"), 2)
    first = False if salt is True else 0
    sweep(net, open_images("a"), {"t": Totals(LAYERS, first)}, folder="out")
    if "network" in change:
        with torch.no_grad():
            net.module.conv1.weight[0, 0, 0, 0] += 1e-3  # type: ignore[union-attr, index]
    net.name = change.get("named", net.name)
    if "more" in change:
        noise(9).save("a/more.png")
    kind = change.get("kind", Totals)
    collector = kind(change.get("layers", LAYERS), salt) if kind is Totals else kind(LAYERS)
    with pytest.raises(OutputError) as caught:
        sweep(
            net, open_images("b" if "images" in change else "a"),
            {change.get("call", "t"): collector}, folder="out", whole=change.get("whole", False),
        )  # fmt: skip
    assert str(caught.value) == (
        f"out holds a sweep with {says}: give another folder, or all that that sweep was given"
    )


def test_damaged_states(tmp_path: Path) -> None:
    images, out = open_images(folder(tmp_path / "a", 3)), tmp_path / "out"
    sweep(demo(), images, {"t": Totals(LAYERS)}, folder=out)
    state = out / "state-0.safetensors"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(OutputError, match=r"state-0.safetensors is damaged"):
        sweep(demo(), images, {"t": Totals(LAYERS)}, folder=out)


def test_settings_that_cannot_be(tmp_path: Path) -> None:
    images = open_images(folder(tmp_path, 2))
    for arguments, says in (
        ({"batch": 0}, "batch 0"),
        ({"workers": 0}, "workers 0"),
        ({"every": 0.0}, "every 0 seconds"),
    ):
        with pytest.raises(SettingError, match=says):
            sweep(demo(), images, {"t": Totals(LAYERS)}, **arguments)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="needs a collector"):
        sweep(demo(), images, {})
    with pytest.raises(SettingError, match="no name of a collector"):
        sweep(demo(), images, {"a/b": Totals(LAYERS)})
    with pytest.raises(UnknownLayer, match="'relu9'"):
        sweep(demo(), images, {"t": Totals(["relu9"])})
    odd = Network(nn.Conv2d(5, 3, 3), Preprocessing((8, 8), order="any"))
    with pytest.raises(ImageError, match="does not take photographs"):
        sweep(odd, images, {"t": Totals([""])})


def test_memory_that_ends(tmp_path: Path) -> None:
    class Greedy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if len(x) > 1:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
            return x

    net = Network(nn.Sequential(Greedy()), Preprocessing((8, 8)))
    images = open_images(folder(tmp_path, 3))
    with pytest.raises(OutOfMemory, match=r"3 images of 8x8 at a time.*smaller batch"):
        sweep(net, images, {"t": Totals(["0"])})


def test_a_fault_of_an_image_set_is_not_waited_for(tmp_path: Path) -> None:
    images = open_images(folder(tmp_path, 3))

    class Broken(list[Any]):
        def __getitem__(self, index: Any) -> Any:
            raise ZeroDivisionError("a fault")

    broken = type(images)("broken", Broken([1]), "0")
    object.__setattr__(broken, "parts", Broken([1]))
    with (
        groups(broken, [(0, 0)], demo().preprocessing, 4) as ready,
        pytest.raises(ZeroDivisionError),
    ):
        list(ready)


def test_a_finished_survey_is_opened_again(tmp_path: Path) -> None:

    images, out = open_images(folder(tmp_path / "photos", 12, (100, 100))), tmp_path / "out"
    (tmp_path / "photos" / "003.png").write_bytes(b"")
    images = open_images(tmp_path / "photos")
    net, top = demo(), TopPatches(["relu3"], 2)
    collectors = {"top patches": top, "totals": Totals(LAYERS)}
    swept = sweep(net, images, collectors, folder=out)
    store(out, swept, net, images, {"model": "demo"})
    survey = Survey.open(out)
    assert (survey.count, list(survey.failed)) == (11, ["003.png"])
    assert survey.layers == swept.layers
    assert survey.facts["about"] == {"model": "demo"}
    assert survey.collector("top patches").of("relu3", 3) == top.of("relu3", 3)
    peak = top.of("relu3", 3)[0]
    assert survey.images().name_of(peak.key).endswith(".png")
    with pytest.raises(OutputError, match="was collected by Totals"):
        survey.collector("totals")
    assert alike(survey.fill("totals", Totals(LAYERS)), collectors["totals"])  # type: ignore[arg-type]
    with pytest.raises(OutputError, match="holds no 'maxima'"):
        survey.collector("maxima")
    assert "relu3" in survey._repr_html_()
    page = survey.save(tmp_path / "survey.html")
    assert "003.png" in page.read_text()
    # The same sweep again finds that all is done.
    again = sweep(net, images, {"top patches": TopPatches(["relu3"], 2), "totals": Totals(LAYERS)},
                  folder=out, tick=lambda *_: pytest.fail("it ran again"))  # fmt: skip
    assert again.count == 11
    noise(50).save(tmp_path / "photos" / "zzz.png")
    with pytest.raises(ImageError, match="have changed since"):
        survey.images()


def test_folders_without_a_survey(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="holds no finished survey"):
        Survey.open(tmp_path)
    (tmp_path / "survey.json").write_text('{"format": 1}')
    with pytest.raises(OutputError, match="is damaged"):
        Survey.open(tmp_path)
    (tmp_path / "survey.json").write_text('{"format": 99}')
    with pytest.raises(OutputError, match="another version"):
        Survey.open(tmp_path)


class Flattening(nn.Module):
    """Flattens its maps with `view`, which works where they are contiguous, and nowhere else."""

    def __init__(self) -> None:
        super().__init__()
        self.maps, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4 * 14 * 14, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.maps(x).view(len(x), -1))


def test_a_network_that_takes_contiguous_images_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = Network(Flattening().eval(), Preprocessing((16, 16)))
    images = open_images(folder(tmp_path, 5))
    totals = Totals(["maps", "head"])
    sweep(net, images, {"totals": totals}, batch=1)
    plain = {"maps": torch.zeros(4, dtype=torch.int64), "head": torch.zeros(3, dtype=torch.int64)}
    for key, _ in images:
        image = laid(net.prepare(images.read(key))[0], torch.contiguous_format)
        for layer, code in net.record(image, plain)[1].items():
            bits = as_maps(code)[0].contiguous().view(torch.int32).long()
            plain[layer] += (bits * (2 * key + 1)).sum((0, 2, 3))
    assert all(torch.equal(totals.state()[f"sum/{layer}"], plain[layer]) for layer in plain)
    # It is tried once, not for every batch.
    showing = Showing(net, ["head"])
    assert showing.order is torch.channels_last
    showing(torch.rand(2, 3, 16, 16))
    assert showing.order is torch.contiguous_format
    with pytest.raises(NetworkError, match="does not take an input of 1x3x9x9"):
        Showing(net, ["head"])(torch.rand(2, 3, 9, 9))


def test_the_order_of_images_in_memory() -> None:
    orders = []

    class Looking(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            orders.append((x.is_contiguous(), x.is_contiguous(memory_format=torch.channels_last)))
            return x

    for dtype, channels in ((torch.float32, 3), (torch.float64, 3), (torch.float32, 1)):
        module = nn.Sequential(nn.Conv2d(channels, channels, 1), Looking()).to(dtype)
        order = "RGB" if channels == 3 else "gray"
        net = Network(module.eval(), Preprocessing((8, 8), order=order))
        Showing(net, ["1"])(torch.rand(2, 3, 8, 8).to(dtype))
    assert orders[0] == (False, True)
    assert orders[3] == (True, False)
    assert all(contiguous for contiguous, _ in orders[3:])
