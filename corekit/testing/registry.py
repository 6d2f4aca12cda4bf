"""Every rule of the kit, in the order in which they are asked."""

from __future__ import annotations

from typing import Any

from corekit.testing.backend_rules import EXTRACTOR_RULES
from corekit.testing.corpus_rules import DESCRIPTION_RULES
from corekit.testing.plugin_rules import PLUGIN_RULES
from corekit.testing.reading_rules import READING_RULES
from corekit.testing.rule import Rule
from corekit.testing.run_rules import RUN_RULES

CORPUS_RULES: tuple[type[Rule[Any]], ...] = (*PLUGIN_RULES, *DESCRIPTION_RULES, *READING_RULES, *RUN_RULES)
BACKEND_RULES: tuple[type[Rule[Any]], ...] = (*PLUGIN_RULES, *EXTRACTOR_RULES)
