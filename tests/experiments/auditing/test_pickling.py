"""What keeps a data set from being sent to a new process, and a script from starting one."""

import multiprocessing
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from corruptlab import GaussianPixels, corrupt
from corruptlab.experiments import audit

from .cases import HALF, Local, Pictures, finding, tensors

NOT_PICKLED = "warning" if multiprocessing.get_all_start_methods()[0] == "fork" else "error"


def test_lambda_is_named_with_its_place() -> None:
    found = finding("train: pickling", Local(Pictures()))
    assert found.status == NOT_PICKLED
    line = (Local.__init__.__code__.co_firstlineno) + 2
    assert f"`Local.transforms['image'][0]` is a lambda (line {line} of its file)" in found.message


def obstacle(dataset: Any) -> str:
    """Return what an audit says is in the way of a new process; empty if nothing is."""
    found = finding("train: pickling", dataset)
    return "" if found.status == "ok" else found.message


def test_class_inside_a_function_and_open_file_are_named(tmp_path: Path) -> None:
    class Inside(Pictures):
        pass

    found = obstacle(Inside())
    assert "`Inside` is an object of class Inside, which is defined inside a function" in found
    with (tmp_path / "data.bin").open("wb") as file:
        opened = Pictures()
        opened.file = file  # type: ignore[attr-defined]
        assert "`Pictures.file` is an object of type BufferedWriter" in obstacle(opened)


class With(Pictures):
    """Holds something beside its images."""

    def __init__(self, held: Any) -> None:
        super().__init__()
        self.held = held


def test_what_pickles_has_no_obstacle_and_arrays_are_not_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for dataset in (Pictures(), tensors(), corrupt(tensors(), HALF, GaussianPixels())):
        assert obstacle(dataset) == ""
    monkeypatch.setattr(torch.Tensor, "__reduce_ex__", None)  # what copies a tensor
    assert obstacle(With([torch.zeros(1), np.broadcast_to(0, 10**12)])) == ""
    assert "cannot be pickled" in obstacle(With(np.array([lambda: 0], object)))


def test_value_shared_by_multiprocessing_is_no_obstacle() -> None:
    assert obstacle(With(multiprocessing.get_context("spawn").Value("i", 0))) == ""


def fake_main(monkeypatch: pytest.MonkeyPatch, path: Path | None) -> ModuleType:
    main = ModuleType("__main__")
    if path is not None:
        main.__file__ = str(path)
    monkeypatch.setitem(sys.modules, "__main__", main)
    return main


def test_class_of_a_notebook_cannot_be_sent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    main = fake_main(monkeypatch, None)
    vars(main)["Pictures"] = Pictures
    exec("class Mine(Pictures):\n    pass", vars(main))
    main.Mine.__module__ = "__main__"
    assert "it needs `Mine`, defined in a notebook" in obstacle(main.Mine())
    main.__file__ = "<stdin>"
    assert "it needs `Mine`" in obstacle(main.Mine())
    assert "a script that is not a file, such as one on standard input" in spawned(Pictures())
    (tmp_path / "script.py").touch()
    main.__file__ = str(tmp_path / "script.py")
    assert obstacle(main.Mine()) == ""


def spawned(dataset: Any) -> str:
    """Return what an audit says about a new process."""
    return audit(dataset, sample=2)["train: spawn"].message


class Spawning:
    """Stands in for the start of worker processes, and counts them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.methods: list[str] = []
        real = torch.utils.data.DataLoader

        def loader(*args: Any, multiprocessing_context: str, **options: Any) -> Any:
            self.methods.append(multiprocessing_context)
            return real(*args, **{**options, "num_workers": 0, "timeout": 0})

        monkeypatch.setattr(torch.utils.data, "DataLoader", loader)


SCRIPT = """
def go():
    return audit(data, sample=2)["train: spawn"].status

if __name__ == "__main__":
    guarded = go()
else:
    imported = True
bare = go()
"""


def test_script_that_would_run_again_is_told_from_a_guarded_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    starts = Spawning(monkeypatch)
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    main = fake_main(monkeypatch, path)
    vars(main).update(audit=audit, data=Pictures())
    exec(compile(SCRIPT, str(path), "exec"), vars(main))
    assert (main.guarded, main.bare) == ("ok", "warning")
    assert starts.methods.count("spawn") == 1
    assert audit(Pictures(), sample=2)["train: spawn"].status == "ok"  # not from that script
    main.__spec__ = type("Spec", (), {"name": "package.__main__"})()
    exec("bare = go()", vars(main))
    assert main.bare == "ok"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("found = go()", "warning"),
        ('if __name__ == "__main__": found = go()', "ok"),
        ('if "__main__" == __name__:\n    1\n    found = go()', "ok"),
        ("if True:\n    found = go()", "warning"),
        ('if __name__ == "__main__":\n    1\nfound = go()', "warning"),
        ('if __name__ != "__main__":\n    1\nelse:\n    found = go()', "warning"),
    ],
)
def test_guard_covers_its_own_lines_alone(
    line: str, status: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    Spawning(monkeypatch)
    path = tmp_path / "script.py"
    path.write_text(line)
    main = fake_main(monkeypatch, path)
    vars(main)["go"] = lambda: audit(Pictures(), sample=2)["train: spawn"]
    exec(compile(line, str(path), "exec"), vars(main))
    assert main.found.status == status


def test_unguarded_script_starts_no_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "script.py"
    path.write_text("report = audit(data, sample=2)")
    main = fake_main(monkeypatch, path)
    vars(main).update(audit=audit, data=Pictures())
    exec(path.read_text(), vars(main))
    found = main.report["train: spawn"]
    assert found.status == "warning"
    assert "would run your script again" in found.message
