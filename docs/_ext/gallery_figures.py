"""Figures of gallery examples: each `Figure` that a block has made is shown under it.

sphinx-gallery looks for figures of pyplot; ours are made without it.
"""

import weakref
from typing import Any

from matplotlib.figure import Figure
from sphinx_gallery.scrapers import figure_rst

_shown: "weakref.WeakSet[Figure]" = weakref.WeakSet()


def scraper(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Save the figures that are new among the variables, and return the lines that show them."""
    paths = []
    for value in block_vars["example_globals"].values():
        if isinstance(value, Figure) and value not in _shown:
            _shown.add(value)
            paths.append(next(block_vars["image_path_iterator"]))
            value.savefig(paths[-1], dpi=130)
    return str(figure_rst(paths, gallery_conf["src_dir"]))
