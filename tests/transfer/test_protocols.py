"""Any protocol over several networks and seeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from phosphene.errors import SettingError
from phosphene.transfer.protocols import PROTOCOLS, compare, protocol
from phosphene.zoo.catalogue import open_network
from tests.transfer.drawn import drawn_set, drawn_sorted

QUICK: dict[str, dict[str, Any]] = {
    "classification": {"layer": "relu5", "frozen": True, "updates": 2, "tests": 1, "batch": 4},
    "detection": {"layer": "relu5", "updates": 2, "epochs": 1, "scales": (96,), "test_scale": 96},
    "segmentation": {"layers": ("relu1", "relu3"), "crop": 64, "batch": 2, "points": 16,
                     "buffer": 2, "hidden": 8, "falls": (2, 3), "stride": 8},
    "probing": {"layers": ("relu1", "relu5"), "updates": 2, "batch": 8, "drops": ()},
    "retrained": {"layer": "relu7", "counts": (2,), "splits": 2, "teacher": "logistic",
                  "cs": (0.1,)},
}  # fmt: skip


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_runs_from_its_setting_to_a_table(name: str, tmp_path: Path) -> None:
    chosen = protocol(name)
    setting = chosen.setting_type()(**QUICK[name])
    make = drawn_sorted if chosen.kind == "sorted" else drawn_set
    train, test = make(4, 0), make(2, 1)
    found = compare(name, setting, {"demo": open_network("demo")}, train, test, tmp_path)
    assert list(found.scores) == ["demo"]
    for value, _ in found.scores["demo"].values():
        assert 0 <= value <= 1
    assert (tmp_path / "demo" / "seed-0").is_dir()
    told = json.loads((tmp_path / "compared.json").read_text())
    assert list(told["measured"]["demo"]) == list(found.columns)
    if chosen.benchmarks and name != "probing":  # whose columns are the layers asked for
        assert found.quoted() is not None


def test_networks_see_the_same_and_seeds_are_averaged(tmp_path: Path) -> None:
    setting = protocol("retrained").setting_type()(
        layer="relu5_2", counts=(6,), splits=1, tested=8, teacher="logistic", cs=(0.01,)
    )
    nets = {
        f"motion-small:{n}": open_network(f"motion-small:{n}") for n in ("random", "supervised")
    }
    nets["the same"] = open_network("motion-small:supervised")
    photographs = drawn_sorted(14, 0)
    said: list[str] = []
    found = compare(
        "retrained", setting, nets, photographs, None, tmp_path, seeds=(0, 1), say=said.append
    )
    (random, spread), (taught, _), _ = (found.scores[row]["6 a class"] for row in nets)
    assert spread is not None
    assert taught > random
    assert found.setting["seed"] == "0, 1"
    assert found.scores["the same"] == found.scores["motion-small:supervised"]
    again = compare("retrained", setting, nets, photographs, None, tmp_path, seeds=(0, 1))
    assert again.scores == found.scores


def test_what_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="did you mean 'probing'"):
        protocol("probnig")
    with pytest.raises(SettingError, match="nothing to compare"):
        compare("probing", None, {}, None, None, tmp_path)
