"""Which labels are used: those of the declared kind and scale, with a spread and a count that can be."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from corekit.driver.labels import label_problem
from corekit.model import Clip, CorpusInfo, Label, Licence

INFO = CorpusInfo(
    name="farm", title="The farm corpus", version="7", homepage="https://example.org",
    licences=(Licence("CC0", "README"),), treat_as="CC0", pairings=("nr",), label_kind="mos", label_min=1.0,
    label_max=5.0, split_seed="farm", root_env="FARM_ROOT",
)  # fmt: skip


def clip(label: Label) -> Clip:
    return Clip(name="a.mp4", path="a.mp4", content="a", label=label, origin="farm.txt:3")


@pytest.mark.parametrize(
    "label",
    [
        Label(kind="mos", value=5.05),
        Label(kind="mos", value=1.0, std_dev=0.0, std_error=0.0, n_ratings=1),
        Label(kind="none"),
    ],
)
def test_labels_that_are_used(label: Label) -> None:
    assert label_problem(clip(label), INFO) == ""


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        (Label(kind="mos", problem="farm.txt:3: unclear"), "unclear"),
        (Label(kind="mos"), "a.mp4 has no mos; fill it in, or leave the row out"),
        (Label(kind="mos", value=float("nan")), "the label of a.mp4 is nan, not a finite number; correct the row"),
        (Label(kind="mos", value=5.06), "the label of a.mp4 is 5.06, outside 1 to 5; correct the row"),
        (Label(kind="mos", value=3.0, std_dev=-1.0),
         "the standard deviation of the label of a.mp4 is -1, not a number from 0; correct the row"),
        (Label(kind="mos", value=3.0, std_dev=float("nan")),
         "the standard deviation of the label of a.mp4 is nan, not a number from 0; correct the row"),
        (Label(kind="mos", value=3.0, std_error=float("inf")),
         "the standard error of the label of a.mp4 is inf, not a number from 0; correct the row"),
        (Label(kind="mos", value=3.0, n_ratings=-5),
         "the label of a.mp4 has -5 ratings, and none has less than 1; correct the row"),
        (Label(kind="none", n_ratings=0), "the label of a.mp4 has 0 ratings, and none has less than 1; correct the row"),
        (Label(kind="none", value=3.0), "the label of a.mp4 is of kind none and those of farm of kind mos; correct the plugin"),
        (Label(kind="teacher", value=3.0),
         "the label of a.mp4 is of kind teacher and those of farm of kind mos; correct the plugin"),
    ],
)  # fmt: skip
def test_labels_that_are_not(label: Label, problem: str) -> None:
    assert label_problem(clip(label), INFO) == f"farm.txt:3: {problem}"


def test_a_value_of_no_kind() -> None:
    assert label_problem(clip(Label(kind="none", value=3.0)), replace(INFO, label_kind="none")) == (
        "farm.txt:3: a.mp4 has the label 3 of kind none, which has no value; correct the plugin"
    )


def test_a_label_of_the_teacher_is_one_where_the_corpus_says_so() -> None:
    assert label_problem(clip(Label(kind="teacher", value=3.0)), replace(INFO, label_kind="teacher")) == ""
