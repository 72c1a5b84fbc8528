"""What is learned from: which regions, how they are drawn, and what the loss says of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from phosphene.errors import SettingError
from phosphene.transfer.benchmarks.records import Boxes, InMemory
from phosphene.transfer.detection.boxes import moved, offsets
from phosphene.transfer.detection.examples import Batch, Example, Examples, detection_loss
from phosphene.transfer.detection.proposals import Proposals
from phosphene.transfer.detection.regions import (
    FIXED,
    drawn_regions,
    prospect,
    regions_of,
)
from phosphene.transfer.detection.settings import DetectionSetting
from phosphene.transfer.detection.sizes import resized, scaled_size
from tests.reference import detections as literal

SETTING = DetectionSetting(proposals="none", scales=(64, 128), regions=16)


def boxes(corners: list[list[float]], classes: list[int], difficult: list[int] = []) -> Boxes:  # noqa: B006
    hard = np.isin(np.arange(len(corners)), difficult)
    return Boxes(np.array(corners, float).reshape(-1, 4), np.array(classes, np.int64), hard)


def around(box: list[float], count: int, seed: int, by: float = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    made = np.array(box) + rng.uniform(-by, by, (count, 4))
    made[:, 2:] = np.maximum(made[:, 2:], made[:, :2] + 3)
    return made.clip(0, 60).round(2)


def known() -> tuple[InMemory, Proposals]:
    """Four photographs: two objects; one, difficult; none; one that nothing is proposed near."""
    ramp = np.tile(np.arange(80, dtype=np.uint8) * 3, (60, 1))
    image = Image.fromarray(np.stack([ramp, ramp, ramp], 2))
    truth = [
        boxes([[10, 10, 40, 40], [30, 20, 60, 60]], [0, 2]),
        boxes([[5, 5, 30, 30]], [1], [0]),
        boxes([], []),
        boxes([[2, 2, 50, 50]], [0]),
    ]
    photographs = InMemory([image] * 4, ("a", "b", "c"), boxes=truth)
    proposed = {
        "0": np.concatenate([around([10, 10, 40, 40], 80, 0), around([30, 20, 60, 60], 80, 1)]),
        "1": around([5, 5, 30, 30], 50, 2),
        "2": around([5, 5, 30, 30], 50, 3),
        "3": np.array([[55.0, 55, 60, 60]]),
    }
    return photographs, Proposals(proposed)


def test_regions_are_objects_and_ground_by_their_overlap() -> None:
    photographs, proposals = known()
    own = regions_of(photographs, proposals, 0, SETTING)
    goals = [tuple(box) for box in photographs.boxes(0).corners]
    assert np.array_equal(own.corners[:2], photographs.boxes(0).corners)
    shared = [[literal.iou(tuple(box), goal) for goal in goals] for box in own.corners]
    assert np.abs(own.overlap - np.max(shared, 1)).max() < 1e-12
    objects = [n for n, row in enumerate(shared) if max(row) >= 0.5]
    ground = [n for n, row in enumerate(shared) if 0.1 <= max(row) < 0.5]
    assert own.objects(SETTING).tolist() == objects
    assert own.ground(SETTING).tolist() == ground
    assert {0, 1} < set(objects)
    assert all(own.nearest[n] == np.argmax(shared[n]) for n in objects)
    assert own.classes.tolist() == [1, 3]


def test_difficult_objects_are_not_learned_from() -> None:
    own = regions_of(*known(), 1, SETTING)
    assert not len(own.goals)
    assert not own.overlap.any()


def test_boxes_are_cut_off_at_the_rim_and_go_if_they_are_outside() -> None:
    truth = [boxes([[-9, -9, 20, 20], [90, 5, 99, 9]], [0, 1])]
    photographs = InMemory([Image.new("RGB", (40, 30))], ("a", "b"), boxes=truth)
    proposals = Proposals({"0": np.array([[30.0, 20, 99, 99], [50, 50, 60, 60]])})
    own = regions_of(photographs, proposals, 0, SETTING, (40, 30))
    assert own.corners.tolist() == [[0, 0, 20, 20], [30, 20, 40, 30]]
    assert own.classes.tolist() == [1]


def test_what_a_set_comes_to() -> None:
    photographs, proposals = known()
    found = prospect(photographs, proposals, SETTING)
    assert found.usable == (0, 3)
    assert len(found.notes) == 2
    assert "2 of 4 photographs have no regions" in found.notes[0]
    assert found.notes[1].endswith("learn from of b")
    own = regions_of(photographs, proposals, 0, SETTING)
    objects = own.objects(SETTING)
    third = [n for n in objects if own.nearest[n] == 1]
    by = np.array([offsets(own.corners[n : n + 1], own.goals[1:])[0] for n in third])
    assert np.allclose(found.scale.means[3], by.mean(0))
    assert np.allclose(found.scale.deviations[3], by.std(0))
    # Nothing is known of b: Faster R-CNN's stand in.
    assert found.scale.deviations[2].tolist() == list(FIXED)
    fixed = prospect(photographs, proposals, DetectionSetting(box_targets="fixed")).scale
    assert not fixed.means.any()
    assert (fixed.deviations == FIXED).all()


def test_sets_that_teach_nothing() -> None:
    photographs, proposals = known()
    with pytest.raises(SettingError, match="boxes are proposed for none of the 4"):
        prospect(photographs, Proposals({"x": np.ones((1, 4))}), SETTING)
    bare = InMemory(
        [photographs.image(0)] * 2, ("a",), boxes=[boxes([], []), boxes([[1, 1, 5, 5]], [0], [0])]
    )
    with pytest.raises(SettingError, match="none of the 2 photographs"):
        prospect(bare, proposals, SETTING)


def test_a_quarter_are_objects_and_the_rest_is_ground() -> None:
    own = regions_of(*known(), 0, SETTING)
    chosen, classes = drawn_regions(own, SETTING, np.random.default_rng(0))
    assert (classes > 0).tolist() == [True] * 4 + [False] * 12
    assert len(set(chosen.tolist())) == 16
    assert set(chosen[:4]) <= set(own.objects(SETTING))
    assert set(chosen[4:]) <= set(own.ground(SETTING))
    assert all(
        own.classes[own.nearest[n]] == c for n, c in zip(chosen[:4], classes[:4], strict=True)
    )
    # One object, no ground: what there is.
    alone = regions_of(*known(), 3, SETTING)
    assert drawn_regions(alone, SETTING, np.random.default_rng(0))[1].tolist() == [1]


@pytest.mark.parametrize("number", [0, 1])
def test_an_example_can_be_undone(number: int) -> None:
    photographs, proposals = known()
    found = prospect(photographs, proposals, SETTING)
    examples = Examples(photographs, proposals, found, SETTING)
    assert len(examples) == 2
    mirrored, sizes = set(), set()
    for seed in range(12):
        example = examples(number, np.random.default_rng(seed))
        factor = example.image.shape[1] / 60
        sizes.add(example.image.shape[1:])
        flipped = bool(example.image[0, 0, 0] > example.image[0, 0, -1])
        mirrored.add(flipped)
        corners = example.rois.numpy() / factor + [0, 0, 1, 1]
        classes = example.classes.numpy()
        objects = classes > 0
        scale = found.scale
        by = example.offsets.numpy()[objects]
        by = by * scale.deviations[classes[objects]] + scale.means[classes[objects]]
        back = moved(corners[objects], by)
        if flipped:
            back[:, [0, 2]] = 80 - back[:, [2, 0]]
        truth = photographs.boxes((0, 3)[number])
        for box, class_ in zip(back, classes[objects], strict=True):
            own = truth.corners[truth.classes == class_ - 1]
            assert np.abs(box - own).max(1).min() < 1e-3
        assert not example.offsets[~torch.from_numpy(objects)].any()
    assert mirrored == {False, True}
    assert sizes == {(64, 85), (128, 171)}
    again = examples(number, np.random.default_rng(3))
    assert torch.equal(again.rois, examples(number, np.random.default_rng(3)).rois)


def test_sizes() -> None:
    assert scaled_size((500, 375), 600, 1000) == (1.6, (800, 600))
    assert scaled_size((500, 200), 600, 1000) == (2.0, (1000, 400))
    assert scaled_size((3000, 10), 16, 1000)[1] == (1000, 3)
    assert resized(Image.new("RGB", (50, 40)), 20, 1000).shape == (3, 20, 25)


class Fixed(nn.Module):
    """Answers with numbers that were given."""

    def __init__(self, scores: torch.Tensor, moves: torch.Tensor) -> None:
        super().__init__()
        self.scores, self.moves = nn.Parameter(scores), nn.Parameter(moves)

    def forward(self, images: object, rois: object) -> tuple[torch.Tensor, torch.Tensor]:
        return self.scores, self.moves


def test_the_loss_is_the_papers() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(7, 4, generator=generator)
    moves = torch.randn(7, 4, 4, generator=generator) * 2
    classes = torch.tensor([3, 1, 0, 0, 2, 0, 0])
    goals = torch.randn(7, 4, generator=generator) * (classes > 0)[:, None]
    parts = (slice(0, 4), slice(4, 7))
    batch = Batch(
        Example("x", torch.zeros(3, 4, 4), torch.zeros(len(classes[p]), 4), classes[p], goals[p])
        for p in parts
    )
    module = Fixed(scores, moves)
    found = detection_loss(module, batch)
    total = 0.0
    for n in range(7):
        u = int(classes[n])
        total -= float(scores[n, u]) - math.log(sum(math.exp(float(v)) for v in scores[n]))
        if u:
            for k in range(4):
                d = abs(float(moves[n, u, k] - goals[n, k]))
                total += 0.5 * d * d if d < 1 else d - 0.5
    assert abs(float(found.detach()) - total / 7) < 1e-5
    found.backward()
    assert module.moves.grad is not None
    assert not module.moves.grad[classes == 0].any()
    assert batch.names == ["x", "x"]


def test_a_batch_without_regions_teaches_nothing() -> None:
    none = torch.zeros(0, 4)
    batch = Batch(
        [Example("x", torch.zeros(3, 4, 4), none, torch.zeros(0, dtype=torch.int64), none)]
    )
    loss = detection_loss(Fixed(torch.zeros(0, 4), torch.zeros(0, 4, 4)), batch)
    loss.backward()
    assert float(loss.detach()) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rate": 0.0}, "learns nothing"),
        ({"threshold": 1.5}, "from 0 to 1"),
        ({"ground_overlap": (-0.1, 0.5)}, "ground_overlap is -0.1"),
        ({"scales": ()}, "16 px"),
        ({"updates": 10, "epochs": 3}, "equal epochs"),
        ({"regions": 0}, "regions is 0"),
        ({"box_targets": "none"}, "none of data, fixed"),
    ],
)
def test_settings_that_cannot_be(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        DetectionSetting(**given)  # type: ignore[arg-type]


def test_a_shorter_protocol_keeps_its_proportions() -> None:
    short = DetectionSetting().shorter(300)
    assert (short.updates, short.epochs, short.drops) == (300, 1, (100, 200))
    assert "threshold" not in short.learned()
    assert short.facts()["scales"] == [480, 576, 688, 864, 1200]
