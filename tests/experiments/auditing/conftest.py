"""What tests of the audit share."""

import numpy as np
import pytest

from corruptlab import RandomPixels, ShuffledPixels, corrupt
from corruptlab.experiments import AuditReport, audit

from . import cases
from .cases import Pictures


@pytest.fixture(scope="session")
def broken_and_good() -> AuditReport:
    """One start of spawned workers for all: a training set that does not survive it, and a test
    set that does."""
    test = corrupt(Pictures(), ShuffledPixels(), RandomPixels(), ids=np.arange(100, 160))
    return audit(cases.Forgetful(), test)
