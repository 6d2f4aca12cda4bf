"""Putting tables together: one schema, one scale of labels, no row twice, and a manifest that says what became of each input."""

from corekit.driver.merge.assemble import MergeResult, merge
from corekit.driver.merge.options import NATURAL_KEY, InputPath, MergeOptions

__all__ = ["NATURAL_KEY", "InputPath", "MergeOptions", "MergeResult", "merge"]
