"""KITTI 2012 and 2015, and HD1K, which share their coding of flow.

    training/image_2/000000_10.png          and 000000_11.png; 2012: colored_0 or image_0
    training/flow_occ/000000_10.png         or flow_noc, only of what stays in sight
    training/obj_map/000000_10.png          2015: which car, the labels

    hd1k_input/image_2/000000_0010.png      sequence and frame
    hd1k_flow_gt/flow_occ/000000_0010.png

(Geiger et al., CVPR 2012; Menze and Geiger, CVPR 2015; Kondermann et al., CVPRW 2016.)
"""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import FlowError, SettingError
from phosphene.motion.dataset.file_pairs import Files
from phosphene.motion.dataset.layouts.listing import Listing, Options, images_in

_FRAMES = ("image_2", "colored_0", "image_0")
_FLOWS = ("occ", "noc")


def fits(folder: Path) -> bool:
    """Tell whether a folder is laid out as KITTI."""
    return any(_found(root) for root in _roots(folder))


def fits_hd1k(folder: Path) -> bool:
    """Tell whether a folder is laid out as HD1K."""
    return (folder / "hd1k_input").is_dir() and (folder / "hd1k_flow_gt").is_dir()


def listed(folder: Path, options: Options) -> Listing:
    """List KITTI's pairs, each of frame 10 and frame 11.

    Raises:
        FlowError: The folder is not laid out so.
        SettingError: There is no such flow.
    """
    root = next((root for root in _roots(folder) if _found(root)), None)
    if root is None:
        raise FlowError(f"{folder} is not laid out as KITTI: image_2/ and flow_occ/ are not in it")
    frames = _found(root)
    if options.frames:
        frames = options.frames
        if not (root / frames).is_dir():
            raise SettingError(f"{root} has no frames {frames!r}: take {' or '.join(_FRAMES)}")
    flows = _flows(root, options.flow)
    listing = Listing()
    for first in images_in(root / frames):
        if not first.stem.endswith("_10"):  # the later frame, or others of the multi-view extension
            continue
        later = first.with_stem(first.stem[:-3] + "_11")
        objects = root / "obj_map" / f"{first.stem}.png"
        labels = str(objects) if objects.exists() else ""
        flow = flows / f"{first.stem}.png"
        listing.add(Files(first.stem, str(first), str(later), str(flow), labels=labels))
    return listing


def listed_hd1k(folder: Path, options: Options) -> Listing:
    """List HD1K's pairs, each of two frames that follow each other.

    Raises:
        FlowError: The folder is not laid out so.
        SettingError: There is no such flow.
    """
    if not fits_hd1k(folder):
        raise FlowError(
            f"{folder} is not laid out as HD1K: hd1k_input/ and hd1k_flow_gt/ are not in it"
        )
    flows = _flows(folder / "hd1k_flow_gt", options.flow)
    frames = images_in(folder / "hd1k_input" / "image_2")
    listing = Listing()
    there = {frame.name for frame in frames}
    for first in frames:
        sequence, _, number = first.stem.rpartition("_")
        if not number.isdigit():
            listing.without("a name like 000000_0010.png", first)
            continue
        later = first.with_stem(f"{sequence}_{int(number) + 1:0{len(number)}d}")
        if later.name in there:  # else a sequence's last
            flow = flows / f"{first.stem}.png"
            listing.add(Files(first.stem, str(first), str(later), str(flow)))
    return listing


def _roots(folder: Path) -> tuple[Path, Path]:
    return folder / "training", folder


def _found(root: Path) -> str:
    """Return the folder of frames, or nothing where this is not KITTI's layout."""
    if not any((root / f"flow_{flow}").is_dir() for flow in _FLOWS):
        return ""
    return next((name for name in _FRAMES if (root / name).is_dir()), "")


def _flows(root: Path, flow: str) -> Path:
    there = [each for each in _FLOWS if (root / f"flow_{each}").is_dir()]
    if not there or (flow and flow not in there):
        raise SettingError(f"{root} has no flow {flow or 'at all'}: take {' or '.join(_FLOWS)}")
    return root / f"flow_{flow or there[0]}"
