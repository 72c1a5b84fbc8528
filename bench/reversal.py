"""How much a reversed network costs beside the derivative itself, and beside Captum.

    python bench/reversal.py [--device cuda] [--rounds 9]

Everything is measured in one run, the candidates taking turns, so that what else the machine does
falls on all of them alike; a figure is the median over the rounds of the ratio to the plain
forward and input gradient of the same round. Peak memory is that of a process of its own for each
candidate. The table goes to `bench/results/reversal-DEVICE.md`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch
from networks import NETWORKS

from phosphene import (
    ARCHITECTURES,
    DECONVNET,
    GUIDED,
    Network,
    Preprocessing,
    Reversal,
    Unit,
    backward,
)

CLASS = 281
Candidate = Callable[[], object]


def candidates(name: str, batch: int, device: str) -> dict[str, Candidate]:
    """Make what is to be measured, on one network and batch."""
    build, size = NETWORKS[name]
    torch.manual_seed(0)
    module = build().to(device)
    if name == "tiny":
        module(torch.zeros(1, 3, size, size, device=device))  # lazy layers want to see an image
    net = Network(module, Preprocessing((size, size)))
    x = torch.rand(batch, 3, size, size, device=device)

    def plain() -> object:
        leaf = x.clone().requires_grad_()
        return torch.autograd.grad(module(leaf)[:, CLASS].sum(), leaf)

    def ours(*rules: Reversal) -> Candidate:
        def run() -> object:
            tape = net.output.tape(x)
            p = Unit(CLASS).plant(tape.activation).p
            last = len(rules) - 1
            return [backward(tape, p, rule, keep=i < last) for i, rule in enumerate(rules)]

        return run

    def singly() -> object:
        return [ours(rule)() for rule in ARCHITECTURES]

    found: dict[str, Candidate] = {
        "plain": plain,
        "phosphene guided": ours(GUIDED),
        "phosphene deconvnet": ours(DECONVNET),
    }
    if batch == 1:
        found["eight, one forward"] = ours(*ARCHITECTURES)
        found["eight, full passes"] = singly
    try:
        from captum.attr import Deconvolution, GuidedBackprop
    except ImportError:
        return found
    guided, deconvolution = GuidedBackprop(module), Deconvolution(module)
    found["Captum guided"] = lambda: guided.attribute(x, target=CLASS)
    found["Captum deconvolution"] = lambda: deconvolution.attribute(x, target=CLASS)
    return found


def timed(run: Candidate, device: str) -> float:
    """Return the seconds a call takes."""
    start = time.perf_counter()
    run()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(name: str, batch: int, device: str, rounds: int) -> dict[str, float]:
    """Return the median ratio of each candidate's time to its standard of comparison."""
    found = candidates(name, batch, device)
    times: dict[str, list[float]] = {what: [] for what in found}
    for _ in range(rounds + 1):
        for what, run in found.items():
            times[what].append(timed(run, device))
    ratios = {}
    for what in found:
        standard = "eight, full passes" if what.startswith("eight") else "plain"
        pairs = zip(times[what][1:], times[standard][1:], strict=True)
        ratios[what] = statistics.median(a / b for a, b in pairs)
    ratios["seconds"] = statistics.median(times["plain"][1:])
    return ratios


def peak(name: str, batch: int, device: str, what: str) -> float:
    """Return the peak memory of one candidate above that of the network at rest, MiB."""
    # What a first call imports (torch itself loads sympy to check a seed's shape) is not counted.
    candidates("tiny", 1, device)[what]()
    found = candidates(name, batch, device)
    if device != "cpu":
        found[what]()
        torch.cuda.synchronize()
        rest = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        found[what]()
        return (torch.cuda.max_memory_allocated() - rest) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    rest = resident("VmRSS")
    for _ in range(3):
        found[what]()
    return resident("VmHWM") - rest


def resident(kind: str) -> float:
    """Return a figure of this process's memory from Linux, MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{kind}:")[2].split()[0]) / 2**10


def peaks(name: str, batch: int, device: str) -> dict[str, float]:
    """Return the ratio of guided backpropagation's peak memory to plain autograd's."""
    measured = {}
    for what in ("plain", "phosphene guided"):
        code = f"import reversal; print(reversal.peak({name!r}, {batch}, {device!r}, {what!r}))"
        # One arena: what glibc keeps for other threads is noise of tens of MiB.
        environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
        runs = [
            float(
                subprocess.run(
                    [sys.executable, "-W", "ignore", "-c", code],
                    cwd=Path(__file__).parent, env=environment, check=True,
                    capture_output=True, text=True,
                ).stdout.split()[-1]
            )
            for _ in range(3)
        ]  # fmt: skip
        measured[what] = statistics.median(runs)
    ratio = measured["phosphene guided"] / measured["plain"]
    return {"plain MiB": measured["plain"], "ratio": ratio}


def processor() -> str:
    """Name the processor."""
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def main() -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    device = asked.device
    where = torch.cuda.get_device_name() if device != "cpu" else processor()
    try:
        peer = f"Captum {version('captum')}"
    except PackageNotFoundError:
        peer = "Captum not installed"
    lines = [
        f"Measured by `python bench/reversal.py --device {device} --rounds {asked.rounds}` on "
        f"{where}, {torch.get_num_threads()} threads, torch {torch.__version__}, {peer}; random "
        "weights. Times are ratios to the plain forward and input gradient (s) of the same round; "
        "the last three columns: eight architectures from one forward pass against eight full "
        "passes, and peak memory of guided backpropagation against plain autograd.",
        "",
        "| network | batch | plain, s | phosphene guided | phosphene deconvnet | Captum guided | "
        "Captum deconvolution | eight at once | plain, MiB | peak memory |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines))
    for name in ("SqueezeNet", "VGG-16"):
        for batch in (1, 8):
            ratios = measure(name, batch, device, asked.rounds)
            memory = peaks(name, batch, device)
            cells = [f"{ratios['seconds']:.3f}"] + [
                f"{ratios[what]:.2f}" if what in ratios else "-"
                for what in (
                    "phosphene guided", "phosphene deconvnet", "Captum guided",
                    "Captum deconvolution", "eight, one forward",
                )
            ]  # fmt: skip
            cells += [f"{memory['plain MiB']:.0f}", f"{memory['ratio']:.3f}"]
            lines.append(f"| {name} | {batch} | {' | '.join(cells)} |")
            print(lines[-1], flush=True)
    target = Path(__file__).parent / "results" / f"reversal-{device}.md"
    target.parent.mkdir(exist_ok=True)
    target.write_text("# Reversed networks\n\n" + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
