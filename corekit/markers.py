"""The pluggy markers that plugins and core share, and the number of the plugin API."""

from __future__ import annotations

from typing import Final

import pluggy

PROJECT: Final = "corekit"
COREKIT_API: Final = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
