"""KoNViD-150k as a corekit plugin: what the corpus is. It cannot read the corpus yet."""

from __future__ import annotations

from corekit import Column, CorpusInfo, Licence, hookimpl

COREKIT_API = 1

COLUMNS = (
    Column(name="k150k_part", type="str", description="a or b: the half of the corpus that the clip is from"),
    Column(name="k150k_video_score", type="float", description="video_score of part b, beside its MOS"),
)

INFO = CorpusInfo(
    name="k150k",
    title="KoNViD-150k: in-the-wild video quality, many clips with few votes",
    version="konvid-150k-2019",
    homepage="https://database.mmsp-kn.de/konvid-150k-vqa-database.html",
    licences=(Licence("research use", "second-hand: descriptions of published loaders; the archives state none"),),
    treat_as="research use, no redistribution",
    pairings=("nr",),
    label_kind="mos",
    label_min=1.0,
    label_max=5.0,
    columns=COLUMNS,
    metadata_keys=tuple(column.name for column in COLUMNS),
    split_seed="k150k-v1",
    missing_is_normal=True,
    root_env="COREKIT_K150K_ROOT",
    notes=(
        "Part a has some 2,500 more label rows than clips: missing clips are normal there.",
        "Labels of part a are means of five votes, so multiples of 0.2.",
        "The *_votes.csv files hold single votes: personal data until shown otherwise, never opened.",
    ),
)


@hookimpl
def corekit_corpus() -> CorpusInfo:
    """Describe KoNViD-150k."""
    return INFO
