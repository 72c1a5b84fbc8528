"""All shards: those of this process's rank, shared among the processes it starts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from phosphene.errors import FlowError, OutputError, SettingError
from phosphene.interruption import interruptible
from phosphene.motion.building.one_shard import build_shard
from phosphene.motion.building.one_video import Gathered
from phosphene.motion.building.plan import Plan, videos_per_shard
from phosphene.motion.building.ranks import rank
from phosphene.motion.building.rounding import Rounding
from phosphene.motion.building.settings import Settings
from phosphene.motion.building.workers import Job, share
from phosphene.motion.estimators import Estimator, open_estimator
from phosphene.motion.shards.index import ShardIndex
from phosphene.motion.video.listing import videos_of

Tick = Callable[[int, int], None]
"""Is called with how many videos are done, and of how many."""


@dataclass
class Built:
    """What was built, by this run or an earlier one; of several ranks by this one.

    Attributes:
        folder: Where it is.
        shards: How many are there, whole.
        of: How many there are to be.
        videos: How many are in them.
        pairs: How many they gave.
        failed: Why a video gave none, by its name.
        notes: Why it gave fewer than asked for, or what else is wrong with it.
        rounding: What the 16 bits of the stored flow cost.
        interrupted: Whether it was asked to stop before all was done.
    """

    folder: Path
    shards: int = 0
    of: int = 0
    videos: int = 0
    pairs: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    rounding: Rounding = field(default_factory=Rounding)
    interrupted: bool = False


def planned(
    sources: str | Path | Sequence[str | Path],
    folder: str | Path,
    settings: Settings | None = None,
    *,
    estimator: Estimator | None = None,
    per_shard: int | None = None,
) -> Plan:
    """List videos and say what would be built; nothing is opened or written.

    Args:
        sources: As for `build`, and so are the others.
        folder: Where to.
        settings: How.
        estimator: What estimates the flow.
        per_shard: Videos in a shard.

    Raises:
        ImageError: There are no videos.
        SettingError: A setting cannot be.
    """
    settings = settings or Settings()
    if per_shard is not None and per_shard < 1:
        raise SettingError(f"{per_shard} videos make no shard: give 1 or more")
    estimator = estimator or open_estimator(settings.estimator)
    settings = replace(settings, estimator=estimator.name)
    videos = videos_of(sources)
    return Plan(videos, settings, Path(folder), per_shard or videos_per_shard(len(videos)))


def build(
    sources: str | Path | Sequence[str | Path],
    folder: str | Path,
    settings: Settings | None = None,
    *,
    estimator: Estimator | None = None,
    workers: int = 1,
    per_shard: int | None = None,
    tick: Tick | None = None,
) -> Built:
    """Build shards of pairs from videos.

    The same call goes on where an earlier one stopped, and what comes out is the same, byte for
    byte, whatever number of processes shares the work and wherever it was interrupted.

    Args:
        sources: Videos, as `videos_of` takes them.
        folder: Where shards go: `pairs-000000.tar` with `pairs-000000.json`, ..., and
            `pairs.json`, which says how they were built.
        settings: What to build.
        estimator: What estimates the flow, in place of the one that the settings name; for one that
            takes options, as the device of RAFT.
        workers: Processes. Where torchrun or SLURM has started several of these, the shards are
            dealt out among them first.
        per_shard: Videos in a shard; by default 128, and of fewer than 4096 videos a 32nd.
        tick: Is called after each video.

    Raises:
        ImageError: There are no videos.
        OutputError: The folder holds pairs that were built otherwise, or the disk is full.
        SettingError: A setting cannot be.
    """
    if workers < 1:
        raise SettingError(f"{workers} workers can build nothing: give 1 or more")
    settings = settings or Settings()
    estimator = estimator or open_estimator(settings.estimator)
    plan = planned(sources, folder, settings, estimator=estimator, per_shard=per_shard)
    own, many = rank()
    plan.begin()
    shards = range(own, plan.shards, many)
    todo = [shard for shard in shards if not plan.done(shard)]
    total = sum(len(plan.members(shard)) for shard in shards)
    done = total - sum(len(plan.members(shard)) for shard in todo)

    def tell(name: str, gathered: Gathered) -> None:
        nonlocal done
        done += 1
        if tick is not None:
            tick(done, total)

    if tick is not None:
        tick(done, total)
    with interruptible() as asked, _one_thread():
        if workers == 1 or len(todo) < 2:
            for shard in todo:
                if asked() or not build_shard(plan, shard, estimator, asked, tell):
                    break
        else:
            job = Job(plan, tuple(todo), estimator)
            share(job, min(workers, len(todo)), asked, lambda: tell("", Gathered()))
    return _built(plan, shards)


def _built(plan: Plan, shards: range) -> Built:
    built = Built(plan.folder, of=len(shards))
    for shard in shards:
        try:
            index = ShardIndex.read(plan.path(shard))
            built.rounding += Rounding.of(index.facts["rounding"])
            built.notes |= index.facts["notes"]
        except (FlowError, KeyError, TypeError, ValueError):
            built.interrupted = True
            continue
        built.shards += 1
        built.videos += len(plan.members(shard))
        built.pairs += len(index)
        built.failed |= index.failed
    return built


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let OpenCV work in one thread: the work is shared by processes."""
    try:
        import cv2
    except ImportError:
        raise OutputError(
            "flow is stored as PNG of 16 bits, which needs OpenCV: pip install "
            "opencv-contrib-python-headless"
        ) from None
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
