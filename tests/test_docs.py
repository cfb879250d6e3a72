"""The code of the README and the user guide runs, and the reference has every public name."""

import ast
import doctest
import importlib
import pkgutil
import re
import runpy
from pathlib import Path

import pytest

import sklearn_rnn

ROOT = Path(__file__).parents[1]
if not (ROOT / "doc").exists():
    pytest.skip("no documentation beside the tests", allow_module_level=True)

PAGES = [ROOT / "README.md", *sorted((ROOT / "doc" / "guide").glob("*.md"))]
FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DECIMAL = re.compile(r"-?\d+\.\d+")
# Sessions are run; so is the code of other libraries, where these are installed.
SESSION, OTHERS = "pycon", "python"
LANGUAGES = {SESSION, OTHERS, "text", "bibtex"}


class RoundedOutput(doctest.OutputChecker):
    """Takes decimals that differ by one in their last digit: training amplifies last bits."""

    def check_output(self, want, got, optionflags):
        is_as_precise = all(
            abs(float(w) - float(g)) < 1.01 * 10.0 ** -len(w.partition(".")[2])
            for w, g in zip(DECIMAL.findall(want), DECIMAL.findall(got))
        )
        want, got = DECIMAL.sub("0.0", want), DECIMAL.sub("0.0", got)
        return is_as_precise and super().check_output(want, got, optionflags)


def blocks(page, language):
    return [code for found, code in FENCED.findall(page.read_text("utf-8")) if found == language]


def session(page):
    """All sessions of a page as one, each at its lines."""
    text = page.read_text("utf-8")
    lines = ["\n"] * (text.count("\n") + 1)
    for match in FENCED.finditer(text):
        if match[1] == SESSION:
            first = text.count("\n", 0, match.start(2))
            lines[first : first + match[2].count("\n")] = match[2].splitlines(keepends=True)
    return "".join(lines)


def require(code, pattern):
    for name in re.findall(rf"^{pattern}(?:from|import) (\w+)", code, re.MULTILINE):
        pytest.importorskip(name)


def run(page):
    """The names that the sessions of a page define, and a report of what went wrong."""
    code = session(page)
    pytest.importorskip("pandas")  # of the tables
    require(code, ">>> ")
    report = []
    test = doctest.DocTestParser().get_doctest(code, {}, page.name, str(page), 0)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    doctest.DocTestRunner(RoundedOutput(), verbose=False, optionflags=flags).run(
        test, out=report.append, clear_globs=False
    )
    return test.globs, "".join(report)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_sessions_print_what_the_page_says(page):
    _, report = run(page)
    assert not report, report


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_is_of_a_kind_that_is_run(page):
    languages = {language for language, _ in FENCED.findall(page.read_text("utf-8"))}
    assert languages <= LANGUAGES
    for code in blocks(page, OTHERS):
        ast.parse(code)


def test_the_main_job_prints_what_the_readme_says(capsys):
    pytest.importorskip("matplotlib").use("Agg")
    readme = PAGES[0].read_text("utf-8")
    (example,) = re.findall(r"^    pip install .* && python (\S+)$", readme, re.MULTILINE)
    runpy.run_path(str(ROOT / example))
    (printed,) = blocks(PAGES[0], "text")
    assert RoundedOutput().check_output(printed, capsys.readouterr().out, 0)


OF_OTHERS = ROOT / "doc" / "guide" / "others.md"


@pytest.mark.parametrize("code", blocks(OF_OTHERS, OTHERS), ids=lambda code: code.split()[1])
@pytest.mark.filterwarnings("ignore")  # of their libraries
def test_code_of_other_libraries_runs_on_the_same_data(code):
    require(code, "")
    names, _ = run(OF_OTHERS)
    exec(code, names)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_relative_links_lead_to_files(name):
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / name).read_text("utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_readme_is_short():
    assert len(PAGES[0].read_text("utf-8").split()) < 700


def public_names():
    """Every public name, with the module that it is imported from."""
    modules = [module.name for module in pkgutil.iter_modules(sklearn_rnn.__path__)]
    for module in ["", *(f".{name}" for name in modules if not name.startswith("_"))]:
        module = importlib.import_module(f"sklearn_rnn{module}")
        yield from ((module.__name__, name) for name in getattr(module, "__all__", ()))


def test_the_reference_has_every_public_name():
    entries, module = set(), None
    for line in (ROOT / "doc" / "api.rst").read_text("utf-8").splitlines():
        module = line.split()[-1] if line.startswith(".. module::") else module
        entries |= {(module, line.strip())} if re.fullmatch(r" {3}\w+", line) else set()
    assert entries == set(public_names())


def test_the_table_of_tools_is_what_the_benchmark_prints():
    pytest.importorskip("pandas")
    from benchmarks.compatibility import all_cases, table

    page = (ROOT / "doc" / "guide" / "tools.md").read_text("utf-8")
    assert "\n".join(table(all_cases())) in page
