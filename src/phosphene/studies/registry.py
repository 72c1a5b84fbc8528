"""The studies by name. Nothing is loaded before a study is run."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from phosphene.errors import PhospheneError, nearest

Need = Literal[
    "photos", "votes", "layers", "strengths", "units", "classes", "repeats", "cuts", "inverse",
    "controls",
]  # fmt: skip


@dataclass(frozen=True)
class StudyInfo:
    """One study.

    Attributes:
        name: As `phosphene study` takes it.
        summary: What it finds out, in a line.
        reference: The figure, table or section that it re-does. IJCV is Mahendran & Vedaldi 2016;
            Th is Mahendran's thesis of 2018.
        home: `module:function`; the function takes a `Plan` and returns `Findings` (with `votes`
            among the needs it takes paths of vote files and names of layers instead).
        needs: Which parts of the plan it reads. With `cuts` among them it takes `constants`,
            `methods` and `by` besides, as `segmentation` does.
        repeats: From how many random starts, if the user does not say.
    """

    name: str
    summary: str
    reference: str
    home: str
    needs: frozenset[Need] = frozenset()
    repeats: int = 1

    def load(self) -> Callable[..., Any]:
        """Return the study's function.

        Raises:
            PhospheneError: This version of phosphene does not have it.
        """
        module, _, function = self.home.partition(":")
        try:
            study = getattr(importlib.import_module(module), function, None)
        except ModuleNotFoundError as error:
            if error.name != module:
                raise
            study = None
        if study is None:
            raise PhospheneError(
                f"the study {self.name!r} is not part of this version of phosphene"
            )
        return study  # type: ignore[no-any-return]


def _info(
    name: str, summary: str, reference: str, needs: str, repeats: int = 1, home: str = ""
) -> StudyInfo:
    home = home or f"phosphene.studies.{name}:{name}"
    return StudyInfo(name, summary, reference, home, frozenset(needs.split()), repeats)  # type: ignore[arg-type]


_ALL = (
    _info(
        "errors",
        "how well each layer is inverted, and whether the class survives",
        "IJCV table 5; Th fig 5.5",
        "photos layers strengths",
    ),
    _info(
        "initialisations",
        "how much the error depends on the noise it starts from",
        "Th fig 5.5, top right",
        "photos layers strengths repeats",
        24,
    ),
    _info(
        "naturalness",
        "whether priors make the statistics of gradients more natural",
        "Th fig 5.6",
        "photos layers strengths",
    ),
    _info(
        "descriptors",
        "HOG, bilinear HOG and dense SIFT inverted; no network is used",
        "IJCV tab 4, fig 4; Th tab 5.2, fig 5.4",
        "photos",
    ),
    _info(
        "strength",
        "one layer inverted at several strengths C",
        "IJCV fig 2 left; Th fig 5.2 left",
        "photos layers strengths",
    ),
    _info(
        "beta",
        "one layer inverted with several exponents of the total variation",
        "IJCV fig 2 right; Th fig 5.2 right",
        "photos layers strengths",
    ),
    _info(
        "jitter",
        "what jitter does for a class's image",
        "IJCV fig 3; Th fig 5.3",
        "photos classes repeats",
    ),
    _info(
        "layers",
        "one photograph inverted from every layer",
        "IJCV figs 5-7; Th figs 5.8-5.10",
        "photos layers strengths",
    ),
    _info(
        "multiple",
        "several inversions of one code: what a layer does not tell apart",
        "IJCV fig 8; Th fig 5.11",
        "photos layers strengths repeats",
        4,
    ),
    _info(
        "scale",
        "how much larger things become, and how far repeats lie apart",
        "IJCV section 5.2.3; Th section 5.4.2.4",
        "photos layers strengths repeats",
        4,
    ),
    _info(
        "bias",
        "which colours inversions drift to",
        "IJCV section 5.2.4; Th section 5.4.2.5",
        "photos layers strengths",
    ),
    _info(
        "locality",
        "the middle 5x5 units of a layer inverted alone",
        "IJCV fig 9; Th fig 5.12",
        "photos layers strengths",
    ),
    _info(
        "streams",
        "each channel group of a grouped network inverted alone",
        "IJCV fig 10; Th fig 5.13",
        "photos layers strengths",
    ),
    _info(
        "units",
        "images that units of each layer answer to most",
        "IJCV figs 11, 12; Th figs 5.15-5.17",
        "photos layers units repeats",
    ),
    _info(
        "classes",
        "images of classes",
        "IJCV fig 13; Th fig 5.18",
        "photos classes repeats",
    ),
    _info(
        "caricatures",
        "photographs with what each layer sees in them exaggerated",
        "IJCV figs 14, 15; Th figs 5.19, 5.20",
        "photos layers strengths",
    ),
    _info(
        "pairs",
        "makes a page that asks people which inversion is more interpretable",
        "Th fig 5.7",
        "photos layers strengths",
        home="phosphene.studies.interpretability:pairs",
    ),
    _info(
        "votes",
        "how often each strength won on that page, from the votes it exports",
        "Th fig 5.7",
        "votes layers",
    ),
    _info(
        "solvers",
        "L-BFGS, Algorithm 1 and Adam, for inversion and for texture",
        "IJCV section 3.4; Th section 5.2.3",
        "photos layers strengths",
    ),
    _info(
        "class-models",
        "images of a class's score against images of its probability",
        "Simonyan et al. 2014, section 2",
        "classes repeats",
        home="phosphene.studies.class_models:class_models",
    ),
    _info(
        "correspondence",
        "does a network know that two noses are the same thing? on drawn scenes",
        "Zeiler & Fergus 2014, section 4.3, table 1",
        "layers classes",
    ),
    _info(
        "invariance",
        "how codes and the class change as photographs are moved, enlarged, turned",
        "Zeiler & Fergus 2014, fig 5",
        "photos layers",
    ),
    _info(
        "segmentation",
        "objects cut out by three reversed networks and a blob, and scored",
        "ECCV 2016 table 1, fig 8; Th table 7.1",
        "photos cuts",
    ),
    _info(
        "localization",
        "CorLoc, top-5 localization error and pointing game of the same",
        "Simonyan et al. 2014, section 3.2; Th section 7",
        "photos cuts",
    ),
    _info(
        "architectures",
        "eight reversed networks: what polarity, masks and switches do for edges",
        "ECCV 2016 section 3.1, fig 3; Th fig 7.10",
        "photos layers",
    ),
    _info(
        "selectivity",
        "whether a picture shows the unit, or the photograph it was made from",
        "ECCV 2016 section 3.3, fig 4; Th section 7.3",
        "photos layers classes",
    ),
    _info(
        "finite-support",
        "how much of its field a signal fills, and what makes it fall off",
        "ECCV 2016 section 3.3, fig 5; Th section 7.3",
        "photos layers",
        home="phosphene.studies.finite_support:finite_support",
    ),
    _info(
        "foreground",
        "how much of a signal lies on the object, by masks or boxes",
        "ECCV 2016 section 3.3, fig 6; Th section 7.3",
        "photos layers",
    ),
    _info(
        "phase",
        "whether masks and switches are to a signal what phase is to an image",
        "ECCV 2016 section 3.4, fig 7",
        "photos layers",
    ),
    _info(
        "informed",
        "what masks and switches tell of a photograph: inverses with and without",
        "ECCV 2016 section 3.2; Th eq 7.10, section 7.4.3",
        "photos layers repeats inverse",
        3,
    ),
    _info(
        "cascade",
        "whether maps change when a network's layers forget, from the top down",
        "Adebayo et al. 2018, section 4, fig 2",
        "photos layers controls",
    ),
    _info(
        "labels",
        "whether maps differ of a network that learned permuted labels",
        "Adebayo et al. 2018, section 5, fig 5",
        "photos controls",
    ),
    _info(
        "deletion",
        "whether the class goes, and comes, with the pixels that maps point at",
        "Petsiuk et al. 2018, section 4.2",
        "photos repeats controls",
        2,
    ),
    _info(
        "infidelity",
        "whether maps foretell drops of the score, and hold still",
        "Yeh et al. 2019, sections 2 and 3",
        "photos controls",
    ),
)

STUDIES: dict[str, StudyInfo] = {info.name: info for info in _ALL}
"""All studies, in the order of the papers."""


def study(name: str) -> StudyInfo:
    """Find a study by its name.

    Raises:
        PhospheneError: There is none; the message offers the nearest.
    """
    if name not in STUDIES:
        offer = nearest(name, STUDIES) or f"; there are {', '.join(STUDIES)}"
        raise PhospheneError(f"there is no study {name!r}{offer}")
    return STUDIES[name]
