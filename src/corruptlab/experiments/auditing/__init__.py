"""Audit of data sets: checks for common problems, with one finding per check."""

from corruptlab.experiments.auditing._audit import audit
from corruptlab.experiments.auditing._report import AuditReport, Finding

__all__ = ["AuditReport", "Finding", "audit"]
