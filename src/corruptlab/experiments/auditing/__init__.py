"""An audit of data sets: what goes wrong in practice, one finding a check."""

from corruptlab.experiments.auditing._audit import audit
from corruptlab.experiments.auditing._report import AuditReport, Finding

__all__ = ["AuditReport", "Finding", "audit"]
