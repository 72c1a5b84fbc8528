"""Processes that share a sweep, started from outside or by Lightning Fabric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from phosphene.core.network import Network
from phosphene.errors import PhospheneError, SettingError
from phosphene.survey.sweeping.board import Board
from phosphene.training.launching import hush, quiet


@dataclass(frozen=True)
class _Quiet:
    """What a worker is to do; to be sent to one. Fabric speaks there before it calls it."""

    work: Callable[[Any], None]

    def __call__(self, fabric: Any) -> None:
        self.work(fabric)

    def __reduce__(self) -> tuple[Callable[..., _Quiet], tuple[Callable[[Any], None]]]:
        return _arrived, (self.work,)


def _arrived(work: Callable[[Any], None]) -> _Quiet:
    hush()
    return _Quiet(work)


def connect(fabric: Any) -> None:
    """Let processes that were started from outside find each other, without a word."""
    with quiet():
        fabric.launch()


def launch(fabric: Any, work: Callable[[Any], None], board: Board) -> None:
    """Start workers and wait for them; what goes wrong in one is raised here."""
    from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException

    try:
        fabric.launch(_Quiet(work))
    except ProcessExitedException as error:
        board.reraise()
        raise PhospheneError(
            f"a worker was ended from outside ({error}): what was kept before is kept, and the "
            "same call goes on from there; if memory was short, give fewer workers"
        ) from error
    except ProcessRaisedException:
        board.reraise()
        raise
    board.reraise()


def fabric_for(net: Network, here: int, many: int, start: Literal["spawn", "popen"]) -> Any:
    """Make the Fabric of some processes.

    Args:
        net: The network: its device says where they run.
        here: How many there are on this machine.
        many: How many in all.
        start: Whether Fabric starts them (`"spawn"`) or finds them (`"popen"`).

    Raises:
        SettingError: Fabric is not installed, or there are not as many devices.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise SettingError(
            "sharing a sweep among processes needs Lightning Fabric: `pip install "
            "phosphene[survey]`, or take one worker"
        ) from error
    kind = net.device.type
    if kind == "cuda":
        import torch

        if here > torch.cuda.device_count():
            raise SettingError(
                f"{here} workers on this machine need {here} GPUs, and there are "
                f"{torch.cuda.device_count()}: take fewer, or the processor"
            )
    elif kind != "cpu":
        raise SettingError(f"on {kind} there is one device, and so one worker: give workers=1")
    # Processes only say how far they are: nothing that a GPU's own backend would be faster at. And
    # the fastest may wait for the slowest for as long as that takes.
    shared = DDPStrategy(
        process_group_backend="gloo", timeout=timedelta(days=30), start_method=start
    )
    return Fabric(accelerator=kind, devices=here, num_nodes=many // here, strategy=shared)
