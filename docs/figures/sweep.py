"""Draw docs/images/sweep.png: the paper's Fig. 1b and 1c on the embedded Fashion-MNIST.

    python docs/figures/sweep.py

18 fits in two processes, which take some minutes. They are kept in out/sweep, so that the same
command goes on where it was stopped.
"""

import shutil
from pathlib import Path

from corruptlab._cli import main

ROOT = Path(__file__).parent.parent
OUT = ROOT.parent / "out" / "sweep"


if __name__ == "__main__":
    code = main(["sweep", "--workers", "2", "--out", str(OUT)])
    if code == 0:
        shutil.copyfile(OUT / "figure.png", ROOT / "images" / "sweep.png")
