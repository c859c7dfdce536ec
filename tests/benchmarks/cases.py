"""Entries as a run would make them."""

from typing import Any

from benchmarks._limits import Part
from benchmarks._records import Comparison, Made, Times, TimeToInterpolation
from corruptlab._environment import Environment

ENVIRONMENT = Environment(
    corruptlab="0.1.0",
    python="3.11.7",
    torch="2.13.0",
    numpy="2.4.6",
    platform="Linux x86_64",
    device="cpu",
    threads=2,
)
LIMIT = (
    Part(what="products", seconds=1.5, rate=178e9, unit="FLOP/s"),
    Part(what="random words", seconds=0.5, rate=110e6, unit="words/s"),
)


def made(**changes: Any) -> Made:
    return Made(
        **{
            "machine": "A processor, 2 cores",
            "environment": ENVIRONMENT,
            "command": "pytest benchmarks/test_training.py --full",
            "size": "full",
            "date": "2026-11-21",
            **changes,
        }
    )


def comparison(**changes: Any) -> Comparison:
    return Comparison(
        **{
            "group": "training",
            "name": "an epoch",
            "than": "a loop",
            "ratio": 2.5,
            "lowest": 2.0,
            "highest": 3.0,
            "rounds": 3,
            "ours": 4.0,
            "theirs": 10.0,
            "limit": LIMIT,
            "notes": ("seen",),
            "made": made(),
            **changes,
        }
    )


def times(**changes: Any) -> TimeToInterpolation:
    rows = (
        Times(setting="true", label="true labels", steps=(10, 20, 40), seconds=(1.0, 2.0, 4.0)),
        Times(
            setting="random-labels",
            label="random labels",
            steps=(20, 60, 180),
            seconds=(3.0, 3.0, 8.0),
        ),
        Times(
            setting="gaussian", label="Gaussian", steps=(5, None, 1200), seconds=(0.5, None, 2.0)
        ),
    )
    return TimeToInterpolation(
        **{
            "name": "mlp-1x512 on some data",
            "architecture": "mlp-1x512",
            "seeds": (0, 1, 2),
            "epochs": 30,
            "rows": rows,
            "made": made(command="pytest benchmarks/test_interpolation_time.py --full"),
            **changes,
        }
    )
