"""What a plugin may put into a Clip, and what core says of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from corekit import PluginError, open_corpus
from corekit.driver.plan import label_problem
from corekit.model import Clip, Label
from corekit.plugins.composition import Composition
from tests.plugins.distributions import GOOD_CORPUS, Site


def opened(site: Site, root: Path, **more: str) -> Clip:
    """The one clip of a corpus whose plugin yields it with some fields of the given source."""
    head, _, tail = GOOD_CORPUS.partition("@hookimpl\ndef corekit_read_corpus(root):")
    fields = {
        "name": "'a.y4m'", "path": "'a.y4m'", "content": "'c'", "label": "Label(kind='mos', value=3.0)", "origin": "'farm.txt:1'", **more,
    }  # fmt: skip
    given = ", ".join(f"{name}={value}" for name, value in fields.items())
    body = f" import numpy as np\n from corekit import Label\n yield Clip({given})\n"
    rest = tail.partition("@hookimpl")[2]
    site.add_corpus("farm", f"{head}@hookimpl\ndef corekit_read_corpus(root):\n{body}@hookimpl{rest}")
    (clip,) = open_corpus("farm", root)
    return clip


def test_numbers_of_numpy_are_numbers(site: Site, tmp_path: Path) -> None:
    clip = opened(
        site, tmp_path, label="Label(kind='mos', value=np.float64(3), std_dev=np.float32(0.5), n_ratings=np.int64(7))",
        extra="{'k': np.int32(4), 'f': np.float32(0.25), 'b': np.bool_(True)}",
    )  # fmt: skip
    assert clip.label == Label(kind="mos", value=3.0, std_dev=0.5, n_ratings=7)
    assert clip.extra == {"k": 4, "f": 0.25, "b": True}
    assert [type(value) for value in (clip.label.value, clip.label.n_ratings)] == [float, int]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"label": "Label(kind='mos', value='3.0')"}, "which is wrong: Expected `float | null`, got `str` - at `$.label.value`"),
        ({"label": "Label(kind='mos', value=True)"}, "which is wrong: Expected `float | null`, got `bool` - at `$.label.value`"),
        ({"label": "Label(kind='MOS', value=3.0)"}, "which is wrong: Invalid enum value 'MOS' - at `$.label.kind`"),
        ({"split": "'validation'"}, "which is wrong: Invalid enum value 'validation' - at `$.split`"),
        ({"extra": "{'k': object()}"}, "which is wrong: object is no text, number or truth value"),
    ],
)  # fmt: skip
def test_other_types_are_the_plugins_mistake(site: Site, tmp_path: Path, fields: dict[str, str], problem: str) -> None:
    with pytest.raises(PluginError) as caught:
        opened(site, tmp_path, **fields)
    where = "the plugin of farm yielded the clip 'a.y4m' (farm.txt:1), "
    assert str(caught.value) == f"{where}{problem}; report it to the plugin's author"


def test_a_clip_without_a_content(site: Site, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"yielded the clip 'a\.y4m' .* without a content; report it"):
        opened(site, tmp_path, content="''")


@pytest.mark.parametrize("pairings", ["()", "('full',)"])
def test_pairings_that_there_are_not(site: Site, pairings: str) -> None:
    assert GOOD_CORPUS.count('pairings=("fr",)') == 1
    site.add_corpus("farm", GOOD_CORPUS.replace('pairings=("fr",)', f"pairings={pairings}"))
    with pytest.raises(PluginError, match=r"is broken: label_kind or pairings of its CorpusInfo are wrong: "):
        Composition().add_corpus("farm")


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (Label(kind="mos", value=3.0, std_dev=-1.0), "farm.txt:1: the label of a.y4m has the standard deviation -1; correct the row"),
        (Label(kind="mos", value=3.0, std_error=float("nan")), "farm.txt:1: the label of a.y4m has the standard error nan; correct the row"),
        (Label(kind="mos", value=3.0, n_ratings=-5), "farm.txt:1: the label of a.y4m has -5 ratings; correct the row"),
        (Label(kind="none", value=3.0), "farm.txt:1: a.y4m has a label of no kind; say whether it is a MOS or a DMOS"),
        (Label(kind="teacher", value=3.0), "farm.txt:1: the label of a.y4m is a teacher's, which only corekit gives; say whether it is a MOS or a DMOS"),
        (Label(kind="mos", value=3.0, std_dev=0.0, n_ratings=0), ""),
        (Label(kind="none"), ""),
    ],
)  # fmt: skip
def test_what_stands_beside_a_score(site: Site, label: Label, reason: str) -> None:
    site.add_corpus("farm", GOOD_CORPUS)
    clip = Clip(name="a.y4m", path="a.y4m", content="c", label=label, origin="farm.txt:1")
    assert label_problem(clip, Composition().add_corpus("farm")) == reason
