"""BVI-DVC as a corekit plugin: what the corpus is. It cannot read the corpus yet."""

from __future__ import annotations

from corekit import CorpusInfo, Licence, hookimpl

COREKIT_API = 1

INFO = CorpusInfo(
    name="bvi_dvc",
    title="BVI-DVC: reference sequences for deep video compression",
    version="bvi-dvc-2020",
    homepage="https://fan-aaron-zhang.github.io/BVI-DVC/",
    licences=(Licence("research use, no redistribution", "the authors' page"),),
    treat_as="research use, no redistribution",
    pairings=("synthetic",),
    label_kind="none",
    split_seed="bvi_dvc-v1",
    root_env="COREKIT_BVI_DVC_ROOT",
    notes=(
        "The corpus has no labels: the label of a synthetic pair is its teacher VMAF.",
        "The four tiers of a source share a content, and so a split.",
        "The sequences are SDR although they have 10 bits.",
    ),
)


@hookimpl
def corekit_corpus() -> CorpusInfo:
    """Describe BVI-DVC."""
    return INFO
