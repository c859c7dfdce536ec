"""Run the quick tests with the oldest dependencies allowed: `python scripts/check_floors.py`.

NumPy, SciPy, and typing-extensions are installed at exactly the floors of `pyproject.toml`, in a
folder of their own, beside the PyTorch at hand. Noise that was published with one version has to
come out the same with another, and what is computed has to stay right. Arguments go to pytest.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
SHOW = """
import sys
from importlib.metadata import version
found = {name: version(name) for name in sys.argv[1:]}
print(*(f"{name} {number}" for name, number in found.items()), sep=", ")
"""


def floors(pyproject: str) -> dict[str, str]:
    """The least version of every dependency but PyTorch."""
    ((listed),) = re.findall(r"^dependencies = \[(.*)\]$", pyproject, re.MULTILINE)
    found = dict(each.split(">=") for each in re.findall(r'"([^"]+)"', listed))
    del found["torch"]
    return found


def main() -> None:
    least = floors((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        exactly = [f"{name}=={version}" for name, version in least.items()]
        subprocess.run([*pip, "--no-deps", "--target", folder, *exactly], check=True)
        environment = {**os.environ, "PYTHONPATH": folder}
        subprocess.run([sys.executable, "-c", SHOW, *least], env=environment, check=True)
        pytest = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-m", "not slow"]
        pytest += ["--numprocesses", "auto", "--dist", "worksteal"]
        # Its example needs pandas, which is newer here than NumPy's floor.
        pytest += ["--deselect", "src/corruptlab/datasets/_saved_dataset.py"]
        done = subprocess.run([*pytest, *sys.argv[1:]], cwd=ROOT, env=environment, check=False)
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
