"""KoNViD-1k as a corekit plugin: what the corpus is. It cannot read the corpus yet."""

from __future__ import annotations

from corekit import Column, CorpusInfo, Licence, hookimpl

COREKIT_API = 1

COLUMNS = (
    Column(name="konvid_mos", type="float", description="MOS of the source clip, which is no label of an encode of it"),
)

INFO = CorpusInfo(
    name="konvid",
    title="KoNViD-1k: the Konstanz natural video database",
    version="konvid-1k-2017",
    homepage="https://database.mmsp-kn.de/konvid-1k-database.html",
    licences=(Licence("research use with citation", "the authors' database page"),),
    treat_as="research use with citation",
    pairings=("synthetic", "nr"),
    label_kind="mos",
    label_min=1.0,
    label_max=5.0,
    columns=COLUMNS,
    metadata_keys=tuple(column.name for column in COLUMNS),
    split_seed="konvid-v1",
    root_env="COREKIT_KONVID_ROOT",
    notes=(
        "The label of a synthetic pair is its teacher VMAF; the MOS of the pristine clip rides along as konvid_mos.",
        "KoNViD_1k_subjective.csv holds workers' addresses and cities: never opened.",
    ),
)


@hookimpl
def corekit_corpus() -> CorpusInfo:
    """Describe KoNViD-1k."""
    return INFO
