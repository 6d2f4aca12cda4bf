"""The audit before the GPU hours: what is wrong with a corpus on disk, told without decoding a whole clip."""

from corekit.driver.audit.examine import audit
from corekit.driver.audit.findings import KINDS, Finding
from corekit.driver.audit.report import AuditReport

__all__ = ["KINDS", "AuditReport", "Finding", "audit"]
