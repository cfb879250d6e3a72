"""What the library weighs: milliseconds of its import beyond what it needs, and its wheel.

What it needs is what its modules import from NumPy, SciPy, scikit-learn, joblib and threadpoolctl.
Each process imports that first and then, by the clock, the library: from process to process the
time of the first varies by more than the second takes.
"""

import argparse
import ast
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

OTHERS = ("numpy", "scipy", "sklearn", "joblib", "threadpoolctl")
ROOT = Path(__file__).parents[1]
FILES = (
    "import sys, sklearn_rnn\n"
    "print(*(m.__file__ for name, m in sys.modules.items() if name.startswith('sklearn_rnn')))"
)


def run(code):
    # with bytecode, as pip installs it
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, "-c", code]
    options = {"capture_output": True, "text": True, "check": True}
    return subprocess.run(command, cwd=ROOT, env=environment, **options).stdout


def needed():
    """The statements by which our modules import others."""
    statements = set()
    for file in run(FILES).split():
        for node in ast.parse(Path(file).read_text()).body:
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            else:
                continue
            if all(module.split(".")[0] in OTHERS for module in modules):
                statements.add(ast.unparse(node))
    return "\n".join(sorted(statements))


def milliseconds(statements):
    """Of the statements, and of the import of the library after them, in a process of its own."""
    clock = "from time import perf_counter as now\nstart = now()\n{}\nmiddle = now()\n"
    code = clock.format(statements) + "import sklearn_rnn\nprint(middle - start, now() - middle)"
    return [1e3 * float(seconds) for seconds in run(code).split()]


def wheel():
    """Bytes of the wheel, and of its largest files unpacked."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", folder, ROOT]
        subprocess.run(command, check=True)
        (path,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(path) as archive:
            files = sorted(archive.infolist(), key=lambda info: -info.compress_size)
        return path.stat().st_size, files


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=15, help="processes of each kind")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    statements = needed()
    milliseconds(statements)  # writes bytecode, and reads from disk what is not in memory
    others, ours = np.transpose([milliseconds(statements) for _ in range(arguments.runs)])
    low, middle, high = np.percentile(ours, [25, 50, 75])
    print(f"import of what it needs: {np.median(others):.0f} ms (median)")
    print(f"import sklearn_rnn: {middle:.0f} ms more (median; quartiles {low:.0f} to {high:.0f})")
    size, files = wheel()
    print(f"wheel: {size / 1e3:.0f} kB, {len(files)} files; the largest, compressed:")
    for info in files[:5]:
        print(f"  {info.compress_size / 1e3:.0f} kB {info.filename}")


if __name__ == "__main__":
    main()
