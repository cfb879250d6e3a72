"""What is in the package, and what it may do."""

import ast
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import sklearn_rnn

PACKAGE = Path(sklearn_rnn.__file__).parent
ROOT = Path(__file__).parents[1]
FILES = sorted(PACKAGE.rglob("*.py"))

# What runs code that came with data, or reaches beyond the process.
UNSAFE_MODULES = {
    *("pickle", "_pickle", "cloudpickle", "dill", "shelve", "marshal", "dbm", "copyreg"),
    *("subprocess", "ctypes", "cffi", "multiprocessing", "tempfile", "webbrowser"),
    *("socket", "ssl", "http", "urllib", "urllib3", "requests", "ftplib", "smtplib", "asyncio"),
}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "system", "popen", "fork", "execv"}
# joblib can load pickles: of it only this is called
OF_JOBLIB = {"joblib.cpu_count", "joblib.parallel.get_active_backend"}
# the library of a DataFrame, which is one of two; the package its own public modules
IMPORT_BY_NAME = {
    *("preprocessing/_tables.py", "preprocessing/_steps.py", "_estimators/pooled.py"),
    "__init__.py",
}
ALLOWED = {"numpy", "scipy", "sklearn", "joblib", "threadpoolctl", *sys.stdlib_module_names}
# packages that are imported in functions of these modules only
OPTIONAL = {
    "dask": "_execution/dask.py",
    "onnx": "export/",
    "skl2onnx": "export/_skl2onnx.py",
}
OPTIONAL["sklearn_rnn"] = OPTIONAL["skl2onnx"]


def nodes(kind):
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, kind):
                yield file.relative_to(PACKAGE).as_posix(), node


def imported():
    for file, node in nodes((ast.Import, ast.ImportFrom)):
        if isinstance(node, ast.Import):
            yield from ((file, alias.name.split(".")[0]) for alias in node.names)
        elif not node.level:
            yield file, node.module.split(".")[0]


def called(node):
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def test_imports_only_what_it_needs_and_nothing_unsafe():
    for file, module in imported():
        if module in OPTIONAL and file.startswith(OPTIONAL[module]):
            continue
        assert module in ALLOWED - UNSAFE_MODULES, f"{file} imports {module}"


def test_runs_no_code_that_comes_with_data():
    for file, node in nodes(ast.Call):
        assert called(node) not in UNSAFE_CALLS, f"{file}, line {node.lineno}"
        function = ast.unparse(node.func)
        assert function in OF_JOBLIB or not function.startswith("joblib"), function
        assert function != "import_module" or file in IMPORT_BY_NAME, file
        if ast.unparse(node.func) == "np.load":
            refused = [k for k in node.keywords if k.arg == "allow_pickle" and not k.value.value]
            assert refused, f"{file}, line {node.lineno}"


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_built_with_all_it_should_have_and_no_more(kind, tmp_path):
    if not (find_spec("build") and find_spec("hatchling")):
        pytest.skip("build and hatchling are not installed")
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("no sources")
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "-o", tmp_path, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (archive,) = tmp_path.iterdir()
    names = contents(archive)
    package = {f"sklearn_rnn/{path.relative_to(PACKAGE)}" for path in PACKAGE.rglob("*.*")}
    package = {name for name in package if "__pycache__" not in name}
    assert {"sklearn_rnn/py.typed", "sklearn_rnn/data/japanese_vowels.npz"} <= package
    assert package <= names
    rest = names - package
    if kind == "wheel":
        of_wheel = {"METADATA", "WHEEL", "RECORD", "LICENSE", "ATTRIBUTION.md"}
        assert {name.split("/")[-1] for name in rest} == of_wheel
    else:
        tops = {name.split("/")[0] for name in rest}
        files = {"CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "README.md"}
        files |= {"pyproject.toml", "PKG-INFO", ".gitignore"}
        assert tops == files | {"tests", "examples", "benchmarks", "doc"}


def contents(archive):
    """Names of the files in a wheel, or in an sdist without its top folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return set(wheel.namelist())
    with tarfile.open(archive) as sdist:
        return {name.partition("/")[2] for name in sdist.getnames()}
