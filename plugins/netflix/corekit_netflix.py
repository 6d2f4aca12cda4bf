"""The Netflix Public dataset as a corekit plugin: what the corpus is. It cannot read the corpus yet."""

from __future__ import annotations

from corekit import CorpusInfo, Licence, hookimpl

COREKIT_API = 1

INFO = CorpusInfo(
    name="netflix",
    title="Netflix Public dataset of VMAF",
    version="netflix-public-2016",
    homepage="https://github.com/Netflix/vmaf/blob/master/resource/doc/datasets.md",
    licences=(
        Licence("BSD-2-Clause-Patent", "licence of the Netflix/vmaf repository, which holds the label file"),
        Licence("for training, testing and verification; access on request", "datasets.md of Netflix/vmaf"),
    ),
    treat_as="research use, no redistribution of the clips",
    pairings=("fr",),
    label_kind="dmos",
    label_min=0.0,
    label_max=None,
    split_seed="netflix-v1",
    root_env="COREKIT_NETFLIX_ROOT",
    notes=(
        "DMOS rises with quality here and exceeds 100 for five clips: the axis has no upper end.",
        "The expert score in the file names correlates 0.949 with the label: as a feature it is leakage.",
        "Nine contents: evaluate by leaving one source out, not by the hash split alone.",
    ),
)


@hookimpl
def corekit_corpus() -> CorpusInfo:
    """Describe the Netflix Public dataset."""
    return INFO
