"""Folds keep groups together and depend on their seed alone."""

from __future__ import annotations

import numpy as np

from corekit.learning.folds import grouped, hold_out, leave_one_out, stored

GROUPS = np.repeat(np.arange(10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])


def test_no_group_is_on_both_sides() -> None:
    for fold in grouped(GROUPS, repeats=30, test_fraction=0.2, seed=3):
        assert not set(GROUPS[fold.train]) & set(GROUPS[fold.test])
        assert len(set(GROUPS[fold.test])) == 2
        assert sorted([*fold.train, *fold.test]) == list(range(GROUPS.size))


def test_more_repeats_keep_the_first_ones() -> None:
    few, many = (grouped(GROUPS, repeats=n, test_fraction=0.2, seed=3) for n in (4, 9))
    for one, other in zip(few, many, strict=False):
        np.testing.assert_array_equal(one.test, other.test)
    assert len({tuple(fold.test) for fold in many}) > 1
    assert tuple(grouped(GROUPS, repeats=1, test_fraction=0.2, seed=4)[0].test) != tuple(few[0].test)


def test_one_group_is_always_left_on_either_side() -> None:
    two = np.array([0, 0, 1])
    for share in (0.01, 0.99):
        fold = grouped(two, repeats=1, test_fraction=share, seed=0)[0]
        assert fold.train.size and fold.test.size


def test_leaving_one_out_tests_every_row_once() -> None:
    folds = leave_one_out(GROUPS, [f"g{number}" for number in range(10)])
    assert [fold.name for fold in folds] == [f"g{number}" for number in range(10)]
    assert sorted(row for fold in folds for row in fold.test) == list(range(GROUPS.size))


def test_a_stored_split_is_taken_as_it_stands() -> None:
    fold = stored(["train", "test", None, "val", "train"])
    assert (list(fold.train), list(fold.test)) == ([0, 4], [1])
    assert fold.validation is not None and list(fold.validation) == [3]
    assert stored(["train", "test"]).validation is None


def test_a_single_group_cannot_be_held_out() -> None:
    assert hold_out(np.zeros(5, np.intp), fraction=0.2, seed=0) is None
