"""Try the installed wheel in a clean environment, outside the checkout.

python smoke_wheel.py core WHEEL      without extras: import, embedded data, a corruption
python smoke_wheel.py extras WHEEL    with plot and cli: a short randomization test, its files
"""

import importlib.util
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

EXTRAS = ("matplotlib", "torchvision", "tqdm", "ray")
DATA = "corruptlab/datasets/data/"
# PyTorch itself imports tqdm where it finds it, so only what comes after PyTorch counts.
LAZY = f"""import sys, torch; before = set(sys.modules); import corruptlab
sys.exit(sorted({set(EXTRAS)} & set(sys.modules) - before) or 0)"""
PNG = b"\x89PNG\r\n\x1a\n"


def check(condition: bool, claim: str) -> None:
    print(f"{'ok    ' if condition else 'FAILED'} {claim}")
    if not condition:
        sys.exit(1)


def check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {each.filename: each.file_size for each in archive.infolist()}
    data = {name: size for name, size in sizes.items() if name.startswith(DATA)}
    check(sum(name.endswith(".gz") for name in data) == 4, "the wheel holds the four data files")
    check(
        sum(data.values()) <= 3_000_000, f"the data take {sum(data.values()):,} bytes, at most 3 MB"
    )
    check(f"{DATA}LICENSE-fashion-mnist.txt" in data, "the licence of the data lies beside them")
    licences = [name for name in sizes if ".dist-info/licenses/" in name]
    check(len(licences) == 2, "both licences are declared in the metadata")
    check("corruptlab/py.typed" in sizes, "the wheel is marked as typed")
    check(not any(name.startswith("tests/") for name in sizes), "the tests stay out of the wheel")


def check_core() -> None:
    import corruptlab as cl

    home = Path(cl.__file__)
    check(home.is_relative_to(sys.prefix), f"the package is the installed one: {home}")
    check(all(importlib.util.find_spec(each) is None for each in EXTRAS), "no extra is installed")
    train, test = cl.datasets.load("fashion-mnist-mini")
    check((len(train), len(test)) == (4_000, 1_000), "the embedded images are there")
    noisy = cl.corrupt(train, cl.RandomLabels(), seed=0)
    check(0.87 < noisy.realized_rate < 0.93, "random labels change nine of ten labels")


def check_extras() -> None:
    lazy = subprocess.run([sys.executable, "-c", LAZY], check=False)  # names what it finds
    check(lazy.returncode == 0, "importing the package imports no extra that is installed")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out"
        command = [str(Path(sys.executable).with_name("corruptlab")), "test"]
        command += ["--data", "fashion-mnist-mini", "--model", "mlp-1x512", "--epochs", "2"]
        command += ["--settings", "true,random-labels", "--out", str(out)]
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        print(run.stdout, run.stderr, sep="\n")
        check(run.returncode == 0, "a short randomization test ends well")
        report = json.loads((out / "report.json").read_text(encoding="utf-8"))
        names = [row["setting"]["name"] for row in report["rows"]]
        check(names == ["true", "random-labels"], "report.json has a row for each setting")
        check((out / "figure.png").read_bytes().startswith(PNG), "figure.png is a picture")
    module = [sys.executable, "-m", "corruptlab", "--help"]
    check(subprocess.run(module, capture_output=True, check=False).returncode == 0, "-m works")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("core", "extras"):
        sys.exit(__doc__)
    if sys.argv[1] == "core":
        check_contents(Path(sys.argv[2]))
        check_core()
    else:
        check_extras()
