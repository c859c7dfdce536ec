"""Every shell command of the pages: run, or at least known to be one that can be typed.

A block that stands under `<!-- run -->` is run, in an empty folder; a block under
`<!-- file: NAME -->` is first written there, in the order of the page. `<!-- run: WORDS -->` adds
words to the end of a command that would take long, such as `--epochs 2`. All other commands are
checked as far as words go: options of `corruptlab` are parsed (with FOLDER for a folder), targets
of `make`, files and folders are looked up.
"""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from benchmarks import gpu
from corruptlab._cli._main import parser
from tests import waiting
from tests.fresh import Fresh

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(
    r"^(?:<!-- (?P<what>run(?:: (?P<more>[^\n]+))?|file: (?P<file>\S+)) -->\n)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
SHELL = {"sh", "bash", "shell", "console"}
LOOPS = {"for", "done"}
# Programs that come with Python, PyTorch, Ray, or the system, and need nothing looked up.
KNOWN = {".", "git", "pip", "pyright", "python3", "ray", "torchrun"}


# What these programs run, in a process that need not import PyTorch.
MODULES = {"corruptlab": "corruptlab", "torchrun": "torch.distributed.run"}
TUTORIAL = ROOT / "docs" / "tutorial.md"
ON_RAY = ROOT / "docs" / "howto" / "ray-cluster.md"


class Block(NamedTuple):
    what: str  # "run", "run: WORDS", "file: NAME", or nothing
    more: str
    file: str
    language: str
    text: str


def blocks(text: str) -> list[Block]:
    return [Block(*(part or "" for part in found.groups())) for found in BLOCK.finditer(text)]


def commands(text: str) -> Iterator[list[str]]:
    """The commands of a shell block, without comments, variables, loops, and continued lines."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z][A-Z0-9_]*=.*", words[0]):
            words = words[1:]
        if words and words[0] not in LOOPS:
            yield words


def typed() -> list[object]:
    found: list[object] = []
    for page in PAGES:
        if not page.exists():
            continue
        name = page.relative_to(ROOT).as_posix()
        for block in blocks(page.read_text(encoding="utf-8")):
            if block.language in SHELL:
                for words in commands(block.text):
                    found.append(pytest.param(name, words, id=f"{name}: {' '.join(words)}"))
    return found


def run_pages() -> list[object]:
    texts = [(page, page.read_text(encoding="utf-8")) for page in PAGES if page.exists()]
    return [
        pytest.param(page, id=page.name)
        for page, text in texts
        if page not in (TUTORIAL, ON_RAY)
        if any(block.what.startswith("run") for block in blocks(text))
    ]


def check(words: list[str], files: set[str]) -> None:
    """Raise an error if a command cannot be typed so."""
    program, *rest = words
    if program.startswith(".venv/bin/"):  # as `make setup` makes it; here in any environment
        assert (Path(sys.executable).parent / Path(program).name).exists(), program
        words = rest
    if program == "corruptlab":
        parser().parse_args(rest)
    elif program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(rest) <= set(targets), rest
    elif rest[:2] == ["-m", "benchmarks.gpu"]:
        gpu.options().parse_args(rest[2:])
    elif program in {"pytest", "python", "torchrun"} or "/" in program:
        paths = [each for each in words if re.fullmatch(r"[\w./-]+(\.py|/\w+)", each)]
        for path in paths:
            assert path in files or (ROOT / path.partition("::")[0]).exists(), path
    else:
        assert program in KNOWN, program


@pytest.mark.parametrize(("page", "words"), typed())
def test_every_command_of_a_page_can_be_typed(page: str, words: list[str]) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    # `train.py` of a page that says what to put into it.
    files = set(re.findall(r"\b[\w-]+\.py\b", text))
    check(words, files)


def marked(page: Path, folder: Path) -> Iterator[str]:
    """Write the files of a page into a folder, and give the commands to run there."""
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.what.startswith("run"):
            yield f"{block.text.rstrip()} {block.more}"


def typed_in(page: Path, folder: Path, **more: str) -> list[str]:
    """Run and return what is marked, in the shell of a user who has installed the package."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, **more}
    texts = list(marked(page, folder))
    for text in texts:
        done = waiting.run(["bash", "-euc", text], cwd=folder, env=environment)
        assert done.returncode == 0, done.stdout + done.stderr
    return texts


@pytest.mark.slow
def test_commands_of_the_tutorial_run_as_a_user_types_them(tmp_path: Path) -> None:
    assert typed_in(TUTORIAL, tmp_path) != []


@pytest.mark.slow
@pytest.mark.parametrize("page", run_pages())
def test_marked_commands_of_a_page_run(page: Path, fresh: Fresh, tmp_path: Path) -> None:
    for text in marked(page, tmp_path):
        for program, *rest in commands(text):
            done = fresh.module(MODULES[program], *rest, folder=tmp_path)
            assert done.status == 0, done.output + done.errors


@pytest.mark.slow(seconds=40)
def test_marked_commands_run_on_a_ray_cluster(on_ray: dict[str, Any]) -> None:
    assert on_ray["commands"] != []


@pytest.mark.parametrize(
    "line",
    [
        "corruptlab tset",
        "corruptlab test --colour red",
        "make coffee",
        "pytest benchmarks/test_nothing.py",
        "python docs/figures/nothing.py",
        "scripts/nothing",
        "curl example.org",
    ],
)
def test_a_command_that_cannot_be_typed_is_found(line: str) -> None:
    (words,) = commands(line)
    with pytest.raises((AssertionError, SystemExit)):
        check(words, set())


def test_variables_comments_loops_and_continued_lines_are_no_words() -> None:
    text = "A=1 B_2=x make test   # all\n\n# nothing\nfor i in 1 2; do\n"
    text += "    corruptlab test \\\n    --out out\ndone\n"
    assert list(commands(text)) == [["make", "test"], ["corruptlab", "test", "--out", "out"]]


def test_marks_belong_to_the_block_below_them() -> None:
    text = (
        "<!-- file: a.py -->\n```Python\nx\n```\n\n<!-- run -->\n```sh\ny\n```\n\n```sh\nz\n```\n"
        "\n<!-- run: --epochs 2 -->\n```sh\nw\n```\n"
    )
    assert blocks(text) == [
        Block("file: a.py", "", "a.py", "Python", "x\n"),
        Block("run", "", "", "sh", "y\n"),
        Block("", "", "", "sh", "z\n"),
        Block("run: --epochs 2", "--epochs 2", "", "sh", "w\n"),
    ]
