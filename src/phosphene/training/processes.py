"""The processes that learn together: one, those of torchrun or SLURM, or some of our own.

Lightning Fabric makes them one run. Each has a copy of the network and its share of every batch;
gradients are averaged on the way back, so that together they do what one process would do with all.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal

import torch
from torch import Tensor, distributed

from phosphene.errors import SettingError

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def fabric_of(
    device: torch.device | str = "cpu",
    workers: int = 1,
    nodes: int = 1,
    precision: Precision = "32-true",
    *,
    start: Literal["spawn", "popen"] = "popen",
) -> Any:
    """Make the Fabric of a training run.

    Args:
        device: Where it runs; of several workers each takes a GPU of its own.
        workers: Processes on this machine.
        nodes: Machines.
        precision: Of the passes; weights are float32 always.
        start: Whether Fabric starts the processes (`"spawn"`, for a function of `launch`) or finds
            them, started by torchrun or SLURM (`"popen"`).

    Raises:
        SettingError: Fabric is not installed, or there are not as many devices.
    """
    try:
        from lightning_fabric import Fabric
        from lightning_fabric.strategies.ddp import DDPStrategy
    except ImportError as error:
        raise SettingError(
            "training needs Lightning Fabric: `pip install phosphene[training]`"
        ) from error
    device = torch.device(device)
    if device.type not in ("cpu", "cuda", "mps"):
        raise SettingError(f"networks are not trained on {device}: take cpu, cuda or mps")
    if device.type == "cuda" and workers > torch.cuda.device_count():
        raise SettingError(
            f"{workers} workers on this machine need {workers} GPUs, and there are "
            f"{torch.cuda.device_count()}: take fewer, or the processor"
        )
    if workers * nodes == 1:
        single = device.type != "cpu" and device.index is not None
        devices: Any = [device.index] if single else 1
        return Fabric(accelerator=device.type, devices=devices, precision=precision)
    shared = DDPStrategy(
        process_group_backend="gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl",
        # The first may measure for long, while the others wait.
        timeout=timedelta(days=1),
        start_method=start,
    )
    return Fabric(
        accelerator=device.type,
        devices=workers,
        num_nodes=nodes,
        precision=precision,
        strategy=shared,
    )


def ranks() -> int:
    """Return how many processes there are."""
    return distributed.get_world_size() if _several() else 1


def rank() -> int:
    """Return the number of this process."""
    return distributed.get_rank() if _several() else 0


def summed(value: Tensor) -> Tensor:
    """Sum a tensor over all processes; gradients do not flow."""
    value = value.detach().clone()
    if _several():
        distributed.all_reduce(value)
    return value


def shared_mean(total: Tensor, count: Tensor) -> Tensor:
    """Divide a sum by a count so that the mean over processes is the mean over all they have.

    Processes average their gradients. Where each has divided by a count of its own (of pixels whose
    flow is known, say), that is not what one process with the whole batch would do. Here it is:
    every process divides its own sum by the count of all, over the number of processes.

    Args:
        total: A sum over this process's share of a batch; gradients flow through it.
        count: Over how much; numbers below 1 count as 1.
    """
    return total * (ranks() / summed(count).clamp(min=1).to(total.dtype))


def agreed(work: Callable[[], float | None]) -> float | None:
    """Let the first process do something that ends in a number, and tell it to all."""
    if not _several():
        return work()
    told: list[float | None] = [work() if rank() == 0 else None]
    distributed.broadcast_object_list(told)
    return told[0]


def gathered(value: Any) -> list[Any]:
    """Gather something from all processes, in their order."""
    if not _several():
        return [value]
    told: list[Any] = [None] * ranks()
    distributed.all_gather_object(told, value)
    return told


def _several() -> bool:
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )
