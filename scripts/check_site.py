"""Check the built site: `python scripts/check_site.py build/docs`.

Every link between pages leads somewhere, no page asks the network for anything, every public name
is in the reference, and the search knows them. Prints what it finds and exits with 1 if there is
anything.
"""

import inspect
import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sphinx.util.inventory import InventoryFile

import corruptlab

# Where a page makes a browser fetch something: attributes by element. Links that a reader may
# follow (`a`) are no requests; nor are the names of relations without a file.
_FETCHES = {"href": {"link"}, "src": {"script", "img", "iframe", "source", "audio", "video"}}
_FETCHES["srcset"] = {"img", "source"}
_OUTSIDE = re.compile(r"^(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
_IN_STYLES = re.compile(r"url\(\s*['\"]?([^)'\"]+)|@import\s+['\"]([^'\"]+)")


class Page(HTMLParser):
    """Links, anchors, and requests of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.requests: list[str] = []
        self._in_style = False
        self.feed(text)

    def has(self, fragment: str) -> bool:
        return unquote(fragment) in self.anchors

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for name, value in attrs:
            if value is None:
                continue
            if name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)
            if tag == "a" and name == "href":
                self.links.append(value)
            if tag in _FETCHES.get(name, ()):
                self.requests.append(value)
            if name == "style":
                self.requests += in_styles(value)

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.requests += in_styles(data)


def in_styles(text: str) -> list[str]:
    """What a style sheet makes a browser fetch."""
    return [url or other for url, other in _IN_STYLES.findall(text)]


def problems(folder: Path) -> Iterator[str]:
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    if not pages:
        yield f"there is no page in {folder}"
    for path, page in pages.items():
        where = path.relative_to(folder)
        for link in [*page.links, *page.requests]:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{where}: {link!r} leads nowhere"
            elif parts.fragment and target in pages and not pages[target].has(parts.fragment):
                yield f"{where}: {link!r} leads to no place on that page"
        for request in page.requests:
            if _OUTSIDE.match(request):
                yield f"{where}: asks the network for {request!r}"
    for sheet in folder.rglob("*.css"):
        for request in in_styles(sheet.read_text(encoding="utf-8")):
            if _OUTSIDE.match(request):
                yield f"{sheet.relative_to(folder)}: asks the network for {request!r}"


def public_names() -> Iterator[str]:
    """The names that the package and its rooms export, in full."""
    waiting = [corruptlab]
    while waiting:
        module = waiting.pop()
        for name in module.__all__:
            if name != "__version__":
                yield f"{module.__name__}.{name}"
            if inspect.ismodule(value := getattr(module, name)):
                waiting.append(value)


def missing_names(folder: Path) -> Iterator[str]:
    """Public names that the reference or the search do not have."""
    inventory = InventoryFile.loads((folder / "objects.inv").read_bytes(), uri="")
    described = {
        name for kind, names in inventory.data.items() if kind[:3] == "py:" for name in names
    }
    short = {name.rpartition(".")[2] for name in described}
    index = (folder / "searchindex.js").read_text(encoding="utf-8")
    search = json.loads(index[index.index("(") + 1 : index.rindex(")")])
    found = {entry[-1] for entries in search["objects"].values() for entry in entries}
    for name in public_names():
        last = name.rpartition(".")[2]
        if last not in short:
            yield f"{name} is public and not in the reference"
        if last not in found:
            yield f"{name} is public and not in the search"


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    found = [*problems(folder), *missing_names(folder)]
    print(*found, sep="\n") if found else print(f"{folder}: links, names, and search are whole")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
