"""Metadata into a table that exists: which keys, joined by which name, into which cells; no feature value is touched."""

from corekit.driver.enrich.job import enrich
from corekit.driver.enrich.options import EnrichOptions
from corekit.driver.enrich.report import EnrichReport

__all__ = ["EnrichOptions", "EnrichReport", "enrich"]
