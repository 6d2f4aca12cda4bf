"""Making an artefact again from what its manifest records, and comparing: equal, within tolerance, different, or why not."""

from corekit.driver.replay.job import ReplayOptions, ReplayReport, replay

__all__ = ["ReplayOptions", "ReplayReport", "replay"]
