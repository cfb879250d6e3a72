"""Configuration of Sphinx: `python -m sphinx -W --keep-going -b html doc doc/_build`."""

import inspect
import warnings
from contextlib import ExitStack
from datetime import date
from urllib.request import urlopen

from docutils import nodes
from docutils.utils.math import latex2mathml

import sklearn_rnn

project = "sklearn_rnn"
author = "the sklearn_rnn developers"
copyright = f"{date.today().year}, {author}"
version = release = sklearn_rnn.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.md5", "gallery/*.py"]
templates_path = ["_templates"]
suppress_warnings = ["config.cache"]  # of the function in `sphinx_gallery_conf`

smartquotes = False  # "tanh" is to be copied
toc_object_entries_show_parents = "hide"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

numpydoc_show_class_members = False
autodoc_typehints = "none"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_rnn"
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_math_renderer = "mathml"
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": True,
    "navbar_align": "left",
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"changelog": [], "benchmarks": []}


# Links to other projects, where their inventories can be read.

INVENTORIES = {
    "python": "https://docs.python.org/3/",
    "numpy": "https://numpy.org/doc/stable/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "sklearn": "https://scikit-learn.org/stable/",
}


def is_reachable(site):
    try:
        with urlopen(f"{site}objects.inv", timeout=3):
            return True
    except OSError:
        return False


intersphinx_mapping = {
    name: (site, None) for name, site in INVENTORIES.items() if is_reachable(site)
}


# The gallery. While an example runs, a warning is an error.

warnings_of_example = ExitStack()


def watch_warnings(gallery_conf, fname, when):
    if when == "before":
        warnings_of_example.enter_context(warnings.catch_warnings(action="error"))
    else:
        warnings_of_example.close()


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "abort_on_example_error": True,
    "backreferences_dir": "generated/examples",
    "doc_module": ("sklearn_rnn",),
    "download_all_examples": False,
    "matplotlib_animations": False,
    "nested_sections": False,
    "plot_gallery": True,
    "remove_config_comments": True,
    "reset_modules": ("matplotlib", watch_warnings),
    "reset_modules_order": "both",
    "show_memory": False,
    "show_signature": False,
    "within_subsection_order": "ExampleTitleSortKey",
}


# Equations as MathML, which browsers draw by themselves: readers need no script and no network.


def mathml(latex, as_block):
    if as_block and ("&" in latex or r"\\" in latex):
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    return latex2mathml.tex2mathml(latex, as_block=as_block)


def visit_math(translator, node):
    translator.body.append(mathml(node.astext(), as_block=False))
    raise nodes.SkipNode


def visit_math_block(translator, node):
    translator.body.append(f'<div class="equation">{mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


# Methods that scikit-learn's base classes bring are documented there.


def skip_inherited(app, what, name, value, skip, options):
    if inspect.isfunction(value) and inspect.unwrap(value).__module__.startswith("sklearn."):
        return True
    return None


def setup(app):
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.connect("autodoc-skip-member", skip_inherited)
