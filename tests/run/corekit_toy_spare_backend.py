"""The toy without batteries: the same numbers, no trouble and no devices; what a run falls back to."""

from __future__ import annotations

from corekit_toy_backend import ToyExtractor, ToyOptions  # type: ignore[import-not-found]
from msgspec import Struct

from corekit import BackendInfo, Extractor, hookimpl

COREKIT_API = 1


class SpareOptions(Struct, frozen=True, forbid_unknown_fields=True):
    journal: str = ""


@hookimpl
def corekit_backend() -> BackendInfo:
    return BackendInfo(name="spare", title="toy numbers by hand", numeric_class="toy", options=SpareOptions)


@hookimpl
def corekit_extract_features(features: tuple[str, ...], device: str, options: SpareOptions) -> Extractor:
    extractor: Extractor = ToyExtractor(ToyOptions(journal=options.journal), device)
    return extractor
