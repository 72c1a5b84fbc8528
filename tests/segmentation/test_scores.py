from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from sklearn.metrics import accuracy_score, fbeta_score, jaccard_score

from phosphene.errors import ImageError, SettingError
from phosphene.segmentation.averages import ClassMeans, Mean
from phosphene.segmentation.box_scores import CorLoc, Localization, best_box_iou, box_iou
from phosphene.segmentation.map_scores import (
    THRESHOLDS,
    MapScores,
    adaptive_f,
    f_measure,
    mean_absolute_error,
    precision_recall,
)
from phosphene.segmentation.pointing import PointingGame, on_box, on_mask, strongest
from phosphene.segmentation.scores import (
    MaskScore,
    MaskScores,
    mask_iou,
    pixel_accuracy,
    score_mask,
    to_size,
)
from phosphene.segmentation.truths import Box
from tests.reference import scores as reference

few = settings(max_examples=40, deadline=None)

sides = st.integers(1, 9)
sizes = st.tuples(sides, sides)


def planes(values: Any, kind: Any = np.uint8, shape: Any = sizes) -> Any:
    return arrays(kind, shape, elements=values)


masks = planes(st.sampled_from([0, 1]))
truths = planes(st.sampled_from([0, 1, 1, 255, 7]))


def same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


# Masks


@few
@given(masks, truths, st.sampled_from([255, None, 7]))
def test_scores_of_masks_are_those_of_sets_of_pixels(mask, truth, ignore) -> None:
    assert same(pixel_accuracy(mask, truth, ignore), reference.accuracy(mask, truth, ignore))
    assert same(mask_iou(mask, truth, ignore), reference.iou(mask, truth, ignore))


@few
@given(planes(st.sampled_from([0, 1, 255]), shape=(4, 5)), planes(st.booleans(), bool, (4, 5)))
def test_scores_of_masks_are_scikit_learns(truth, mask) -> None:
    counts = truth != 255
    if not counts.any():
        return
    found, true = mask[counts], truth[counts] == 1
    assert pixel_accuracy(mask, truth) == pytest.approx(accuracy_score(true, found))
    if true.any():
        assert mask_iou(mask, truth) == pytest.approx(jaccard_score(true, found))


@few
@given(sizes, sizes)
def test_masks_are_resized_by_the_pixel_around_the_center(old, new) -> None:
    values = np.arange(old[0] * old[1]).reshape(old)
    found = to_size(values, new)
    np.testing.assert_array_equal(found, reference.resized(values.tolist(), new))
    if old[0] % 2 and old[1] % 2:  # no center falls on a border, where Pillow's rounding decides
        pil = Image.fromarray(values.astype(np.uint8)).resize(new[::-1], Image.Resampling.NEAREST)
        np.testing.assert_array_equal(found, np.asarray(pil))


def test_the_best_annotator_is_found_for_each_score_by_itself() -> None:
    mask = np.zeros((4, 4), dtype=bool)
    mask[0, :2] = True
    # One pixel each way off; but of a tiny truth, or of a large one of which the mask is half.
    tiny = np.zeros((4, 4), dtype=np.uint8)
    tiny[3, 3] = 1  # accuracy 13/16, IoU 0
    large = np.zeros((4, 4), dtype=np.uint8)
    large[:2] = 1  # accuracy 10/16, IoU 2/8
    assert score_mask(mask, [tiny, large]) == MaskScore(13 / 16, 2 / 8)
    assert score_mask(mask, np.stack([large, tiny])) == MaskScore(13 / 16, 2 / 8)


def test_annotators_may_have_sizes_of_their_own() -> None:
    mask = np.array([[1, 0], [0, 0]])
    assert score_mask(mask, [np.zeros((2, 2)), np.kron(mask, np.ones((3, 5)))]).iou == 1


def test_ignored_pixels_count_nowhere() -> None:
    truth = np.array([[1, 1, 255, 0]])
    for there in (0, 1):
        score = score_mask(np.array([[1, 0, there, 1]]), truth)
        assert score == MaskScore(1 / 3, 1 / 3)


def test_without_foreground_there_is_no_iou_but_an_accuracy() -> None:
    scores = MaskScores()
    empty = np.zeros((2, 2), dtype=np.uint8)
    for mask in (empty, 1 - empty):
        score = scores.add(mask, empty)
        assert math.isnan(score.iou)
    ignored = scores.add(empty, empty + 255)
    assert math.isnan(ignored.accuracy)
    assert math.isnan(ignored.iou)
    scores.add(1 - empty, 1 - empty)
    result = scores.result()
    assert (result.images, result.left_out) == (4, 3)
    assert result.iou == 1
    assert result.accuracy == pytest.approx(2 / 3)


def test_an_annotator_without_foreground_does_not_spoil_the_others() -> None:
    mask = np.array([[1, 0]])
    assert score_mask(mask, [np.array([[0, 0]]), np.array([[1, 1]])]) == MaskScore(0.5, 0.5)


def test_averages_are_over_classes_of_averages_over_images() -> None:
    scores = MaskScores()
    right, wrong, truth = np.array([[1, 0]]), np.array([[0, 1]]), np.array([[1, 0]])
    for class_, mask in [("cat", right), ("cat", right), ("cat", wrong), ("dog", wrong)]:
        scores.add(mask, truth, class_)
    result = scores.result()
    assert result.iou == pytest.approx((2 / 3 + 0) / 2)
    assert result.iou_per_image == pytest.approx(2 / 4)
    assert result.classes["cat"] == (pytest.approx(2 / 3), pytest.approx(2 / 3), 3)
    assert result.classes["dog"] == (0, 0, 1)


def test_what_is_no_mask_is_refused() -> None:
    truth = np.ones((2, 2))
    with pytest.raises(ImageError, match="threshold first"):
        score_mask(np.full((2, 2), 0.5), truth)
    with pytest.raises(ImageError, match="threshold first"):
        score_mask(np.full((2, 2), np.nan), truth)
    for mask in (np.ones((2, 2, 3)), np.ones((0, 2)), np.array([["a"]])):
        with pytest.raises(ImageError, match="is not a mask"):
            score_mask(mask, truth)
    scores = MaskScores()
    for none in ([], (), np.ones((0, 2, 2)), None, 3):
        with pytest.raises(ImageError, match="at least one ground truth"):
            scores.add(truth, none)
    assert scores.result().images == 0
    assert math.isnan(scores.result().iou)


@few
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1) | st.just(math.nan))))
def test_means_do_not_depend_on_order_or_parts(values) -> None:
    def gathered(some) -> ClassMeans:
        means = ClassMeans()
        for class_, value in some:
            means.add(value, class_)
        return means

    whole = gathered(values)
    for k in (0, len(values) // 2, len(values)):
        parts = gathered(values[k:][::-1]) + gathered(values[:k])
        assert same(parts.per_class, whole.per_class)
        assert same(parts.per_image, whole.per_image)
        assert parts.left_out == whole.left_out
    known = [value for _, value in values if not math.isnan(value)]
    expected = math.fsum(known) / len(known) if known else math.nan
    assert same(whole.per_image, expected)


@few
@given(st.lists(st.floats(-1e300, 1e300) | st.floats(-1, 1), min_size=1, max_size=20))
def test_a_mean_is_exact(values) -> None:
    mean = Mean()
    for value in values:
        mean.add(value / 20)
    assert mean.value == math.fsum(value / 20 for value in values) / len(values)


def test_merging_leaves_both_alone_and_wants_the_same_settings() -> None:
    one, other = MaskScores(), MaskScores()
    one.add(np.ones((1, 1)), np.ones((1, 1)), "a")
    other.add(np.zeros((1, 1)), np.ones((1, 1)), "a")
    both = one + other
    both.add(np.ones((1, 1)), np.ones((1, 1)), "b")
    assert (one.result().images, other.result().images) == (1, 1)
    assert both.result().iou == 0.75
    with pytest.raises(SettingError, match="ignored values"):
        one + MaskScores(ignore=None)
    with pytest.raises(SettingError, match="tolerances"):
        PointingGame() + PointingGame(0)
    with pytest.raises(SettingError, match="beta2"):
        MapScores() + MapScores(1.0)
    with pytest.raises(SettingError, match="thresholds"):
        CorLoc() + CorLoc(0.7)
    with pytest.raises(SettingError, match="guesses"):
        Localization() + Localization(1)


# Boxes

edges = st.tuples(*[st.integers(0, 8)] * 4).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


@few
@given(edges, edges)
def test_overlap_of_boxes_is_that_of_sets_of_pixels(one, other) -> None:
    expected = reference.box_iou(one, other)
    assert box_iou(one, other, inclusive=True) == pytest.approx(expected)
    outside = [(x0, y0, x1 + 1, y1 + 1) for x0, y0, x1, y1 in (one, other)]
    assert box_iou(*outside) == pytest.approx(expected)
    assert box_iou(*outside) == box_iou(*outside[::-1])


def test_the_two_conventions_of_boxes() -> None:
    assert box_iou((0, 0, 1, 1), (1, 1, 2, 2), inclusive=True) == pytest.approx(1 / 7)
    assert box_iou((0, 0, 1, 1), (1, 1, 2, 2)) == 0
    assert box_iou((0, 0, 2, 2), Box("cat", 1, 0, 3, 2)) == pytest.approx(2 / 6)
    assert box_iou((1, 1, 1, 1), (1, 1, 1, 1)) == 0
    assert math.isnan(best_box_iou((0, 0, 1, 1), []))


@pytest.mark.parametrize("box", [(0, 0, 1), (0, 0, -1, 1), (0, 0, math.nan, 1), (0, 2, 1, 1)])
def test_what_is_no_box_is_refused(box) -> None:
    with pytest.raises(SettingError, match="box"):
        box_iou(box, (0, 0, 1, 1))


def test_correct_localization_counts_any_box_from_the_threshold_on() -> None:
    scores = CorLoc()
    boxes = [Box("cat", 0, 0, 2, 2), Box("cat", 10, 10, 14, 14, difficult=True)]
    assert scores.add((10, 10, 14, 12), boxes, "cat") == 0.5  # just right
    assert scores.add((10, 10, 14, 11.9), boxes, "cat") < 0.5
    assert scores.add(None, boxes, "dog") == 0
    assert math.isnan(scores.add((0, 0, 1, 1), [], "dog"))
    assert math.isnan(scores.add(None, [], "dog"))
    result = scores.result()
    assert (result.images, result.left_out) == (5, 2)
    assert result.classes == {"cat": 0.5, "dog": 0}
    assert result.share == 0.25
    assert result.share_per_image == pytest.approx(1 / 3)
    assert (scores + CorLoc()).result() == result


def test_localization_wants_class_and_box_of_the_same_guess() -> None:
    scores = Localization()
    boxes = [Box("cat", 0, 0, 9, 9), Box("cat", 20, 20, 29, 29), Box("dog", 40, 40, 49, 49)]
    assert scores.add([("cow", (0, 0, 9, 9)), ("cat", (20, 20, 29, 28))], boxes)
    assert not scores.add([("cat", (40, 40, 49, 49)), ("dog", (0, 0, 9, 9))], boxes)
    assert not scores.add([("cow", (0, 0, 9, 9))], boxes)
    assert not scores.add([("cat", None)], boxes)
    assert not scores.add([("cat", None)], [])
    result = scores.result()
    assert (result.error, result.class_error) == (3 / 4, 1 / 4)
    assert (result.images, result.left_out) == (5, 1)
    with pytest.raises(SettingError, match="6 guesses"):
        scores.add([("cat", None)] * 6, boxes)
    assert (scores + scores).result().images == 10


# Pointing


@few
@given(truths, st.data(), st.sampled_from([0, 1, 1.5, 3, 15]))
def test_pointing_is_distance_to_any_foreground_pixel(truth, data, tolerance) -> None:
    point = tuple(data.draw(st.integers(0, side - 1)) for side in truth.shape)
    found = on_mask(point, truth, tolerance)
    if not ((truth != 0) & (truth != 255)).any():
        assert math.isnan(found)
    elif reference.points_at(point, truth, tolerance):
        assert found == 1
    else:
        assert math.isnan(found) if truth[point] == 255 else found == 0


def test_the_strongest_pixel_is_the_first_in_its_frame() -> None:
    map_ = np.array([[np.nan, 1.0, 3.0], [3.0, -np.inf, 2.0]])
    assert strongest(map_) == (0, 2)
    assert strongest(map_, (20, 30)) == (5, 25)
    with pytest.raises(ImageError, match="no strongest pixel"):
        strongest(np.full((2, 2), np.nan))
    with pytest.raises(ImageError, match="outside"):
        on_mask((0, 3), np.ones((3, 3)))


def test_a_box_ends_before_its_last_corner() -> None:
    box = Box("cat", 2, 3, 5, 8)
    assert on_box((7, 4), box, 0) == 1
    assert on_box((8, 4), box, 0) == 0
    assert on_box((8, 5), (2, 3, 5, 8), 1) == 0
    assert on_box((8, 5), box, 1.5) == 1


def test_the_pointing_game_averages_over_classes() -> None:
    game = PointingGame(tolerance=0)
    truth = np.zeros((4, 4), dtype=np.uint8)
    truth[:2, :2] = 1
    hit, miss = np.zeros((2, 2)), np.zeros((2, 2))
    hit[0, 0] = miss[1, 1] = 1
    for class_, map_ in [("cat", hit), ("cat", hit), ("cat", hit), ("dog", miss)]:
        game.add(map_, truth, class_)
    game.add(hit, truth * 0, "dog")
    game.add_boxes((0, 0), [(0, 0, 1, 1)], "dog")
    game.add_boxes((0, 0), [], "dog")
    result = (game + PointingGame(tolerance=0)).result()
    assert result.classes == {"cat": 1, "dog": 0.5}
    assert (result.share, result.share_per_image) == (0.75, 4 / 5)
    assert (result.images, result.left_out) == (7, 2)


# Maps

levels = st.integers(0, 255).map(lambda level: level / 255) | st.floats(0, 1, width=32)


@st.composite
def maps_and_truths(draw: Any) -> Any:
    size = draw(sizes)
    return (
        draw(planes(levels, np.float64, size)),
        draw(planes(st.sampled_from([0, 1, 255]), np.uint8, size)),
    )


@few
@given(maps_and_truths())
def test_curves_are_those_of_sets_of_pixels(pair) -> None:
    map_, truth = pair
    if not (truth == 1).any():
        assert np.isnan(precision_recall(map_, truth)).all()
        return
    np.testing.assert_allclose(np.transpose(precision_recall(map_, truth)), reference.curves(*pair))


@few
@given(maps_and_truths())
def test_maps_are_scored_as_by_hand(pair) -> None:
    map_, truth = pair
    counts, true = truth != 255, truth == 1
    if not counts.any():
        assert math.isnan(mean_absolute_error(map_, truth))
        return
    expected = np.abs(map_ - true)[counts].mean()
    assert mean_absolute_error(map_, truth) == pytest.approx(expected)
    if not true.any():
        assert math.isnan(adaptive_f(map_, truth))
        return
    threshold = min(2 * math.fsum(map_[counts]) / counts.sum(), 1)
    places = {tuple(place) for place in np.argwhere((map_ >= threshold) & counts)}
    by_hand = reference.f_of(places, {tuple(place) for place in np.argwhere(true)}, 0.3)
    assert adaptive_f(map_, truth) == pytest.approx(by_hand)
    chosen = (map_ >= threshold)[counts]
    sklearns = fbeta_score(true[counts], chosen, beta=math.sqrt(0.3), zero_division=0)
    assert adaptive_f(map_, truth) == pytest.approx(sklearns)


def test_maximal_f_is_of_mean_curves() -> None:
    scores, rng = MapScores(), np.random.default_rng(0)
    pairs = [(rng.random((5, 6)), (rng.random((5, 6)) < 0.4).astype(np.uint8)) for _ in range(3)]
    for pair in pairs:
        scores.add(*pair)
    scores.add(np.full((2, 2), 0.25), np.zeros((2, 2)))
    result = scores.result()
    mean = np.mean([reference.curves(*pair) for pair in pairs], axis=0)
    f = 1.3 * mean[:, 0] * mean[:, 1] / np.maximum(0.3 * mean[:, 0] + mean[:, 1], 1e-9)
    assert result.max_f == pytest.approx(f.max())
    assert result.threshold == THRESHOLDS[f.argmax()]
    best = [f_measure(*precision_recall(*pair)).max() for pair in pairs]
    assert result.best_f == pytest.approx(np.mean(best))
    errors = [mean_absolute_error(*pair) for pair in pairs]
    assert result.mae == pytest.approx(np.mean([*errors, 0.25]))
    assert (result.images, result.left_out) == (4, 1)

    parts = MapScores(), MapScores()
    for index, pair in enumerate(pairs):
        parts[index % 2].add(*pair)
    merged = (parts[0] + parts[1]).result()
    assert (merged.max_f, merged.best_f) == (pytest.approx(f.max()), result.best_f)


def test_a_perfect_map_is_perfect() -> None:
    truth = np.array([[0, 1], [255, 1]], dtype=np.uint8)
    scores = MapScores()
    scores.add(truth == 1, truth)
    result = scores.result()
    assert (result.mae, result.max_f, result.adaptive_f) == (0, 1, 1)
    assert result.threshold == THRESHOLDS[1]


def test_unknown_saliency_is_none_and_other_sizes_are_resized() -> None:
    truth = np.kron(np.array([[1, 0]], dtype=np.uint8), np.ones((4, 4), dtype=np.uint8))
    assert mean_absolute_error(np.array([[1.0, np.nan]]), truth) == 0
    assert adaptive_f(np.array([[1.0, np.nan]]), truth) == 1


@pytest.mark.parametrize("map_", [np.full((2, 2), 2), np.full((2, 2), -0.1), np.ones(3)])
def test_what_is_no_map_is_refused(map_) -> None:
    with pytest.raises(ImageError, match="map"):
        mean_absolute_error(map_, np.ones((2, 2)))


def test_no_images_have_no_scores() -> None:
    result = MapScores().result()
    assert math.isnan(result.mae)
    assert math.isnan(result.threshold)
    assert math.isnan(PointingGame().result().share)
    assert math.isnan(Localization().result().error)


def test_thresholds_are_met_to_the_last_bit() -> None:
    values = [np.nextafter(THRESHOLDS, 0), THRESHOLDS, np.nextafter(THRESHOLDS[:-1], 2)]
    map_ = np.concatenate(values)[None]
    precision, _ = precision_recall(map_, np.arange(map_.size)[None] % 2)
    for level in range(256):
        chosen = map_[0] >= THRESHOLDS[level]
        assert precision[level] == (np.arange(map_.size) % 2)[chosen].mean()
