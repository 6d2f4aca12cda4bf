"""Our backends against every rule of the conformance kit."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from corekit.testing import BackendConformance


class TestCpu(BackendConformance):
    backend = "cpu"


class TestLibvmaf(BackendConformance):
    backend = "libvmaf"


class TestRecorded(BackendConformance):
    backend = "recorded"

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
        """A folder with a log."""
        folder = tmp_path_factory.mktemp("logs")
        log = {"frames": [{"frameNum": 0, "metrics": {"vmaf": 90.0}}]}
        (folder / "rung0.json").write_text(json.dumps(log))
        return {"logs": str(folder)}
