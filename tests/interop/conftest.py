"""The second environment: collected only where its packages are, and its outcomes written down."""

from __future__ import annotations

import os
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

PACKAGES = ("torchvision", "timm", "transformers", "captum", "zennit", "pytorch_grad_cam")
HERE = all(find_spec(package) for package in PACKAGES)
PAGE = Path(__file__).parents[2] / "docs" / "models.md"
BEGIN, END = "<!-- outcomes: written by make interop -->", "<!-- end of outcomes -->"
# What stays unread for want of the packages is no failure: `make interop` brings them.
collect_ignore_glob = [] if HERE else ["*.py"]

# No test fetches anything: what a hub would do without a network it does here.
os.environ["HF_HUB_OFFLINE"] = "1"

rows: dict[str, dict[str, str]] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            # These packages warn of each other's age; that is their business.
            item.add_marker(pytest.mark.filterwarnings("ignore"))
            if not HERE:  # a file that was named is read all the same
                item.add_marker(pytest.mark.skip("make interop brings what this needs"))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    found: dict[str, Any] = dict(report.user_properties)
    if report.when == "call" and "model" in found:
        if report.failed:
            found["ours"] = "**fails**"
        rows.setdefault(found["model"], {}).update(found)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput") or not (rows and HERE):
        return
    from tests.interop.networks import NETWORKS

    if {network.name for network in NETWORKS} <= set(rows):
        write_outcomes([rows[network.name] for network in NETWORKS])


def write_outcomes(outcomes: list[dict[str, str]]) -> None:
    """Put the table between the two marks of the page."""
    versions = ", ".join(
        f"{name} {version(name)}"
        for name in ("torch", "torchvision", "timm", "transformers", "captum", "zennit", "grad-cam")
    )
    columns = ("model", "layers", "census", "ours", "captum", "zennit", "grad-cam")
    heads = ("model", "layers", "rectifiers and pools", "phosphene", "Captum", "zennit", "grad-cam")
    lines = [
        BEGIN, "", versions, "",
        f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}",
        *(f"| {' | '.join(row.get(c, '') for c in columns)} |" for row in outcomes), "", END,
    ]  # fmt: skip
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + "\n".join(lines) + after)
