"""What a spawned process does with the script that the user runs: it imports it again."""

import ast
import sys
from pathlib import Path
from types import FrameType


def no_start() -> str:
    """Return why no process should be spawned from here; empty if one can be."""
    path = _path()
    if path is not None and not path.is_file():
        return (
            "not tried: Python cannot spawn processes from a script that is no file, such as one "
            "on standard input."
        )
    if runs_again():
        return (
            "not tried: a spawned process would run your script again from its top, and come "
            "here again. Put what the script does under `if __name__ == '__main__':`, as "
            "macOS and Windows need it for every DataLoader with workers."
        )
    return ""


def main_can_be_imported() -> bool:
    """Return whether a spawned process has what the main module defines."""
    path = _path()
    named = getattr(sys.modules["__main__"], "__spec__", None) is not None
    return named or (path is not None and path.is_file())


def runs_again() -> bool:
    """Return whether a spawned process, which imports the main script, would come by here too."""
    main, path = sys.modules["__main__"], _path()
    name = getattr(getattr(main, "__spec__", None), "name", "")
    if path is None or name == "__main__" or name.endswith(".__main__"):
        return False  # there is no script, or Python leaves it out
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals is vars(main) and frame.f_code.co_name == "<module>":
            return not _is_guarded_in(path, frame.f_lineno)
        frame = frame.f_back
    return False


def _path() -> Path | None:
    path = getattr(sys.modules["__main__"], "__file__", None)
    return None if path is None else Path(path)


def _is_guarded_in(path: Path, line: int) -> bool:
    try:
        return is_guarded(path.read_text(encoding="utf-8"), line)
    except (OSError, ValueError, SyntaxError):  # no source to look at
        return False


def is_guarded(script: str, line: int) -> bool:
    """Return whether a line of a script lies inside ``if __name__ == "__main__":``.

    Args:
        script: Its text.
        line: Number of the line, from 1.

    Returns:
        True if it does.
    """
    for node in ast.walk(ast.parse(script)):
        if isinstance(node, ast.If) and any(
            isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
        ):
            first, last = node.body[0], node.body[-1]
            if first.lineno <= line <= (last.end_lineno or last.lineno):
                return True
    return False
