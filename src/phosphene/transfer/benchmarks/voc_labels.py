"""PASCAL VOC segmentation: the class of every pixel; with SBD's label maps and without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from phosphene.errors import ImageError, SettingError
from phosphene.transfer.benchmarks.file_sets import LabelledFiles
from phosphene.transfer.benchmarks.listing import are, files_in, many, once, parted, some
from phosphene.transfer.benchmarks.sbd import SbdFolder
from phosphene.transfer.benchmarks.voc import Listed, VocFolder, names_of

AUGMENTED = ("train_aug", "trainaug")
"""What the augmented training set goes by."""

_LABELS, AUGMENTED_LABELS = "SegmentationClass", "SegmentationClassAug"


def open_voc_labels(
    folder: str | Path,
    split: str = "train_aug",
    *,
    year: int = 2012,
    sbd: str | Path | None = None,
) -> LabelledFiles:
    """Open a split of PASCAL VOC's segmentation task.

    The split "train_aug" is the training set augmented by SBD, 10582 photographs. Its label maps
    are the PNGs of `SegmentationClassAug`, as they go round, with the list
    `ImageSets/Segmentation/train_aug.txt`; or SBD's own .mat files. There, what VOC labels itself
    has VOC's labels, in which the borders of objects do not count; SBD has no such borders. Where
    there is no list, the set is all of SBD and of VOC's "train", less VOC's "val".

    Args:
        folder: `VOC2012`, or a folder that holds it.
        split: "train", "val", "trainval" or "train_aug".
        year: Which VOC, where the folder holds several.
        sbd: The folder of SBD (`benchmark_RELEASE`), for "train_aug".

    Raises:
        SettingError: There is no such split.
        ImageError: A list is damaged, or no label map is there. A label map itself is read when it
            is asked for.

    *Reference*: Everingham et al. 2010, "The PASCAL visual object classes challenge"; Hariharan et
    al. 2011, "Semantic contours from inverse detectors".
    """
    voc = VocFolder.find(folder, year)
    if split not in AUGMENTED:
        if sbd is not None:
            raise SettingError(f"SBD says nothing of the split {split!r}: give split train_aug")
        return _labelled(voc, voc.split("Segmentation", split), _maps(voc.root / _LABELS))
    maps = {} if sbd is None else dict(SbdFolder.find(sbd).maps)
    if sbd is None:
        if not (voc.root / AUGMENTED_LABELS).is_dir():
            raise ImageError(
                f"{voc.root} has no {AUGMENTED_LABELS}: give the folder of SBD beside it, or "
                "split train, which is VOC's own"
            )
        maps = _maps(voc.root / AUGMENTED_LABELS)
    else:
        maps |= _maps(voc.root / _LABELS)
    return _labelled(voc, _augmented(voc, sbd), maps, all_used=False)


def open_sbd(folder: str | Path, split: str = "train") -> LabelledFiles:
    """Open one of SBD's own splits, its photographs and label maps.

    Args:
        folder: `benchmark_RELEASE`, or its `dataset`.
        split: "train" or "val". Both hold photographs of VOC's validation set.

    Raises:
        SettingError: There is no such split.
        ImageError: A list is damaged, or no label map or photograph is there.
    """
    from phosphene.segmentation.truths.voc import CLASSES

    sbd = SbdFolder.find(folder)
    path = sbd.list_of(split)
    names, notes = once(names_of(path), path)
    photographs = {Path(name).stem: f"img/{name}" for name in files_in(sbd.root / "img")}
    there, missing = parted(names, photographs)
    if missing:
        count = many(len(missing), "photograph")
        notes.append(f"{count} of {path} {are(len(missing))} missing: {some(missing)}")
    return _with_maps(sbd.root, there, photographs, CLASSES, sbd.maps, notes, str(path))


def _augmented(voc: VocFolder, sbd: str | Path | None) -> Listed:
    for name in AUGMENTED:
        if (voc.root / "ImageSets" / "Segmentation" / f"{name}.txt").is_file():
            return voc.split("Segmentation", name)
    if sbd is None:
        return voc.split("Segmentation", AUGMENTED[0])  # which says what there is
    train, val = (names_of(voc.list_of("Segmentation", split)) for split in ("train", "val"))
    all_ = dict.fromkeys([*train, *SbdFolder.find(sbd).names()])
    held_out = set(val)
    return voc.listed([name for name in all_ if name not in held_out], Path(str(sbd)))


def _maps(folder: Path) -> dict[str, Path]:
    return {Path(name).stem: folder / name for name in files_in(folder) if name.endswith(".png")}


def _labelled(
    voc: VocFolder, listed: Listed, maps: dict[str, Path], *, all_used: bool = True
) -> LabelledFiles:
    notes = list(listed.notes)
    extra = sorted(maps.keys() - voc.known() - set(listed.missing)) if all_used else []
    if extra:
        where = many(len(extra), "label map")
        notes.append(f"no list names {where} of {voc.root / _LABELS}: {some(extra)}")
    files = dict(zip(listed.names, listed.files, strict=True))
    return _with_maps(voc.root, listed.names, files, voc.classes(), maps, notes, str(voc.root))


def _with_maps(
    root: Path,
    names: Sequence[str],
    files: dict[str, str],
    classes: Sequence[str],
    maps: dict[str, Path],
    notes: Sequence[str],
    source: str,
) -> LabelledFiles:
    there, missing = parted(names, maps)
    if not there:
        raise ImageError(f"of the photographs of {source} none has a label map: check the folder")
    if missing:
        lacking = many(len(missing), "photograph")
        notes = [*notes, f"{lacking} without label map left out: {some(missing)}"]
    return LabelledFiles(
        root,
        [files[name] for name in there],
        classes,
        [str(maps[name]) for name in there],
        notes,
        there,
        # SBD's own copies are VOC's photographs, those of its validation set among them.
        "VOC",
    )
