"""The files of a run, each whole or not there at all."""

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from corruptlab._cli._errors import UserError
from corruptlab._cli._shell import say
from corruptlab._errors import MissingExtraError
from corruptlab._io import whole_file, write_whole

_DOTS_PER_INCH = 160  # 1280 x 720 pixels: sharp where a page shows the figure 800 wide


class Output:
    """A folder to which a report and its figure are written.

    Args:
        folder: The folder; it is made if it is not there.

    Raises:
        UserError: If files cannot be written there, which is tried here and now.
    """

    def __init__(self, folder: str) -> None:
        self.folder = writable("--out", folder)
        self.report, self.figure = self.folder / "report.json", self.folder / "figure.png"

    def write_report(self, values: dict[str, Any]) -> None:
        """Write ``report.json``.

        Args:
            values: What ``to_dict`` gives.

        Raises:
            OSError: If that fails; an earlier file is then still there.
        """
        text = json.dumps(values, indent=2, allow_nan=False)
        # A line of its own for each of ten thousand losses helps nobody.
        text = re.sub(r"\[\n\s*([-+.\deE,\s]+?)\n\s*\]", _one_line, text)
        write_whole(self.report, text + "\n")

    def write_figure(self, figure: Any) -> None:
        """Write ``figure.png``.

        Args:
            figure: A matplotlib figure.

        Raises:
            OSError: If that fails; an earlier file is then still there.
        """
        with whole_file(self.figure) as beside:
            figure.savefig(beside, dpi=_DOTS_PER_INCH)

    def save_report(self, values: dict[str, Any]) -> bool:
        """Write ``report.json``, or tell why not: hours of training are worth more than that.

        Args:
            values: What ``to_dict`` gives.

        Returns:
            Whether it is written.
        """
        try:
            self.write_report(values)
        except OSError as error:
            say(f"{self.report} could not be written ({error.strerror or error}).")
            return False
        return True

    def save_figure(self, figure: Callable[[], Any], *, done: str) -> bool:
        """Draw a figure and write it, and tell how that went.

        Args:
            figure: Makes it.
            done: What to tell if all went well.

        Returns:
            Whether what was promised is there: without the extra, no figure was.
        """
        try:
            self.write_figure(figure())
        except (MissingExtraError, OSError, ValueError) as error:  # the last: nothing to draw
            old = "; the one there is of an earlier run" if self.figure.exists() else ""
            say(f"{self.figure} was not written{old}: {error}")
            return isinstance(error, MissingExtraError)
        say(done)
        return True


def writable(option: str, folder: str) -> Path:
    """Make a folder if it is not there, and try whether files can be written to it.

    Args:
        option: The option that names it, such as ``"--out"``.
        folder: What was typed.

    Returns:
        The folder.

    Raises:
        UserError: If they cannot.
    """
    path = Path(folder).expanduser()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        reason = error.strerror or error
        text = f"{option} must be a folder to write to, got {folder!r} ({reason})."
        raise UserError(text) from None


def _one_line(match: re.Match[str]) -> str:
    return f"[{' '.join(match[1].split())}]"
