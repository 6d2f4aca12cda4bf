"""From clip tables to a model that can be believed: protocols, baselines, report, gates and artefacts."""

from corekit.driver.train.job import TrainResult, train
from corekit.driver.train.options import TrainOptions

__all__ = ["TrainOptions", "TrainResult", "train"]
