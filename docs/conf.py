"""How Sphinx makes the site: `make docs` writes it to build/docs."""

import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

import corruptlab

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "corruptlab"
author = copyright = "the corruptlab authors"
version = release = corruptlab.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "reference",
    "array_types",
]
exclude_patterns = ["figures", "gallery", "results/*", "images"]

# ------------------------------------------------------------------------------------- Markdown
myst_enable_extensions = ["dollarmath", "smartquotes"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

# ------------------------------------------------------------------------------------ docstrings
autodoc_member_order = "bysource"
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = ["Source"]
maximum_signature_line_length = 72
autodoc_preserve_defaults = True
# For overloads; `array_types` sees to the rest.
autodoc_type_aliases = {name: name for name in ("ArrayLike", "Rows", "Blocks")}
add_module_names = False
default_role = "name"

# --------------------------------------------------------------------------------------- gallery
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "examples",
    "filename_pattern": r"\.py$",
    "image_scrapers": ("gallery_figures.scraper",),
    "reset_modules": (),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,  # a page that fetches scripts
    "within_subsection_order": "FileNameSortKey",
}

# ------------------------------------------------------------------------------------------ look
html_theme = "furo"
html_title = "corruptlab"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
copybutton_exclude = ".linenos, .gp, .go"


def trim_code(app: Sphinx, doctree: nodes.document) -> None:
    """Leave out the empty last line of a block, which some examples need to be run."""
    for block in doctree.findall(nodes.literal_block):
        block.rawsource = block.astext().rstrip("\n")
        block.children = [nodes.Text(block.rawsource)]


def setup(app: Sphinx) -> None:
    """Trim every page."""
    app.connect("doctree-read", trim_code)
