"""The conformance kit: one class to subclass, and a plugin is tested by every rule of the contract. Imports pytest."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("corekit.testing.conformance")  # installed editable, it would not be rewritten otherwise

from corekit.testing.conformance import BackendConformance, CorpusConformance  # noqa: E402

__all__ = ["BackendConformance", "CorpusConformance"]
