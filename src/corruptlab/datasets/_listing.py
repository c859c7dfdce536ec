"""Words for what a reader found instead of a data set."""

from pathlib import Path


def listing(folder: Path, most: int = 8) -> str:
    """Say in a few words what a folder holds, for the "found" part of an error."""
    if not folder.is_dir():
        return "a file" if folder.exists() else "no such folder"
    names = sorted(entry.name for entry in folder.iterdir())
    if not names:
        return "an empty folder"
    more = f", and {len(names) - most} more" if len(names) > most else ""
    return f"only {', '.join(names[:most])}{more}"
