"""Damage to files, by seed: what disks, copies, editors, and people do to them."""

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from corruptlab.datasets import DataFileError

ANYTHING: list[Any] = [
    None,
    True,
    0,
    -1,
    10**400,
    1.5,
    "",
    "a",
    [],
    [1],
    {},
    {"a": 1},
    {"$float": "x"},
]


def flipped(content: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(content))
    other = content[place] ^ (1 << draw.randrange(8))
    return b"".join([content[:place], bytes([other]), content[place + 1 :]])


def truncated(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def changed(content: bytes, draw: random.Random) -> bytes:
    """Put a value of any kind in the place of any other."""
    whole: list[Any] = [json.loads(content)]
    places = list(_places(whole))
    holder, key = draw.choice(places)
    holder[key] = draw.choice(ANYTHING)
    return json.dumps(whole[0]).encode()


def without_a_field(content: bytes, draw: random.Random) -> bytes:
    whole: list[Any] = [json.loads(content)]
    holder, key = draw.choice([place for place in _places(whole) if isinstance(place[0], dict)])
    del holder[key]
    return json.dumps(whole[0]).encode()


def nested(content: bytes, draw: random.Random) -> bytes:
    depth = 10 ** draw.randint(3, 5)
    return b"".join([b"[" * depth, content, b"]" * depth])


WAYS: list[Callable[[bytes, random.Random], bytes]] = [
    flipped,
    truncated,
    changed,
    without_a_field,
    nested,
]


def error_of(call: Callable[..., object], *arguments: Any) -> str:
    """What the one error says that damage may raise, or nothing."""
    try:
        call(*arguments)
    except DataFileError as error:
        return str(error)
    return ""


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Where values stand: what holds each, and under which key."""
    keys: Any = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def folder(path: Path) -> None:
    path.mkdir()
    (path / "something").touch()


def dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


NO_FILES: list[tuple[Callable[[Path], None], str]] = [
    (folder, "a folder"),
    (dangling, "a link to nothing"),
    *([(os.mkfifo, "a named pipe")] if hasattr(os, "mkfifo") else []),
]
