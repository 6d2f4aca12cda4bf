"""corekit turns a video-quality corpus on disk into a training table that anyone can check.

Everything public is a name of this package, loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from corekit.backends.base import BackendInfo, DeviceLost, Extractor, Group, GroupSession, Pair, PairFeatures
    from corekit.driver.audit import AuditReport, Finding, audit
    from corekit.driver.corpus import Corpus, open_corpus
    from corekit.driver.enrich import EnrichOptions, EnrichReport, enrich
    from corekit.driver.evaluate import EvaluateOptions, evaluate
    from corekit.driver.export import ExportOptions, export
    from corekit.driver.merge import MergeOptions, MergeResult, merge
    from corekit.driver.options import RunOptions
    from corekit.driver.predict import PredictOptions, predict_clip
    from corekit.driver.replay import ReplayOptions, ReplayReport, replay
    from corekit.driver.run import RunResult, plan, run
    from corekit.driver.sample import make_sample
    from corekit.driver.train import TrainOptions, TrainResult, train
    from corekit.driver.verify import VerifyOptions, VerifyReport, verify
    from corekit.errors import (
        BackendError,
        ClipError,
        CorekitError,
        CorpusError,
        GateError,
        IncompleteRunError,
        IntegrityError,
        InterruptedRunError,
        LabelError,
        LockedError,
        PluginError,
        UsageError,
    )
    from corekit.exports.base import ExportFormat
    from corekit.manifest import EnrichManifest, Manifest, TrainManifest, read_manifest
    from corekit.markers import COREKIT_API, hookimpl
    from corekit.model import (
        Clip,
        Column,
        CorpusInfo,
        Encode,
        FrameFormat,
        JSONValue,
        Label,
        Licence,
        Measurement,
        NoOptions,
        Pooled,
        Probe,
        RawVideo,
        TrainingInfo,
        Value,
    )
    from corekit.plugins.catalogue import list_plugins
    from corekit.plugins.discovery import PluginStatus
    from corekit.plugins.hookspecs import ManifestSection, RowContext, RunRecord
    from corekit.split import split_of
    from corekit.table import Table, read_table

__all__ = [
    "COREKIT_API",
    "AuditReport",
    "BackendError",
    "BackendInfo",
    "Clip",
    "ClipError",
    "Column",
    "CorekitError",
    "Corpus",
    "CorpusError",
    "CorpusInfo",
    "DeviceLost",
    "Encode",
    "EnrichManifest",
    "EnrichOptions",
    "EnrichReport",
    "EvaluateOptions",
    "ExportFormat",
    "ExportOptions",
    "Extractor",
    "Finding",
    "FrameFormat",
    "GateError",
    "Group",
    "GroupSession",
    "IncompleteRunError",
    "IntegrityError",
    "InterruptedRunError",
    "JSONValue",
    "Label",
    "LabelError",
    "Licence",
    "LockedError",
    "Manifest",
    "ManifestSection",
    "Measurement",
    "MergeOptions",
    "MergeResult",
    "NoOptions",
    "Pair",
    "PairFeatures",
    "PluginError",
    "PluginStatus",
    "Pooled",
    "PredictOptions",
    "Probe",
    "RawVideo",
    "ReplayOptions",
    "ReplayReport",
    "RowContext",
    "RunOptions",
    "RunRecord",
    "RunResult",
    "Table",
    "TrainManifest",
    "TrainOptions",
    "TrainResult",
    "TrainingInfo",
    "UsageError",
    "Value",
    "VerifyOptions",
    "VerifyReport",
    "__version__",
    "audit",
    "enrich",
    "evaluate",
    "export",
    "hookimpl",
    "list_plugins",
    "make_sample",
    "merge",
    "open_corpus",
    "plan",
    "predict_clip",
    "read_manifest",
    "read_table",
    "replay",
    "run",
    "split_of",
    "train",
    "verify",
]

_HOME = {
    "backends.base": ("BackendInfo", "DeviceLost", "Extractor", "Group", "GroupSession", "Pair", "PairFeatures"),
    "driver.audit": ("AuditReport", "Finding", "audit"),
    "driver.corpus": ("Corpus", "open_corpus"),
    "driver.evaluate": ("EvaluateOptions", "evaluate"),
    "driver.export": ("ExportOptions", "export"),
    "driver.enrich": ("EnrichOptions", "EnrichReport", "enrich"),
    "driver.merge": ("MergeOptions", "MergeResult", "merge"),
    "driver.options": ("RunOptions",),
    "driver.predict": ("PredictOptions", "predict_clip"),
    "driver.replay": ("ReplayOptions", "ReplayReport", "replay"),
    "driver.run": ("RunResult", "plan", "run"),
    "driver.sample": ("make_sample",),
    "driver.train": ("TrainOptions", "TrainResult", "train"),
    "driver.verify": ("VerifyOptions", "VerifyReport", "verify"),
    "errors": (
        "BackendError",
        "ClipError",
        "CorekitError",
        "CorpusError",
        "GateError",
        "IncompleteRunError",
        "IntegrityError",
        "InterruptedRunError",
        "LabelError",
        "LockedError",
        "PluginError",
        "UsageError",
    ),
    "exports.base": ("ExportFormat",),
    "manifest": ("EnrichManifest", "Manifest", "TrainManifest", "read_manifest"),
    "markers": ("COREKIT_API", "hookimpl"),
    "model": (
        "Clip",
        "Column",
        "CorpusInfo",
        "Encode",
        "FrameFormat",
        "JSONValue",
        "Label",
        "Licence",
        "Measurement",
        "NoOptions",
        "Pooled",
        "Probe",
        "RawVideo",
        "TrainingInfo",
        "Value",
    ),
    "plugins.catalogue": ("list_plugins",),
    "plugins.discovery": ("PluginStatus",),
    "plugins.hookspecs": ("ManifestSection", "RowContext", "RunRecord"),
    "split": ("split_of",),
    "table": ("Table", "read_table"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'corekit' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"corekit.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
