"""Whether each pure module is wholly covered, lines and branches, by its own tests alone.

The pure modules are those that the import contract of pyproject.toml keeps free of Django and Redis,
the cursor of the journal, its clock, the side, and the script that publishes. Modules of values alone have nothing to
run, and are named as such.
Prints a table; the exit code is 1 where anything is not covered.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = "The pure rooms know neither Django nor Redis"
OTHERS = (
    "streams.broker.journal.cursor",
    "streams.broker.journal.clock",
    "streams.broker.journal.entries",
    "streams.broker.journal.marks",
    "streams.broker.side",
    "streams.publishing.script",
)
# Tests at random cover something else each time.
RANDOM = ("*_random.py", "*_model.py")
PROCESSES = 2
# What a module of values has none of: code that runs later, or only sometimes.
CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.If, ast.IfExp, ast.For, ast.While, ast.Try)


class Covered(NamedTuple):
    """What the tests of one module covered of it."""

    module: str
    tests: tuple[str, ...]
    failure: str
    lines: int = 0
    branches: int = 0
    missing: tuple[str, ...] = ()
    only_values: bool = False

    @property
    def whole(self) -> bool:
        return not self.failure and not self.missing

    @property
    def shown(self) -> str:
        if self.only_values:
            return "values only"
        return "wholly" if self.whole else self.failure or "but for " + ", ".join(self.missing)


def main() -> int:
    modules = sys.argv[1:] or list(pure_modules())
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(PROCESSES) as threads:
        found = list(threads.map(lambda module: measure(module, Path(directory)), modules))
    width = max(map(len, modules))
    print(f"{'Module':{width}}  Lines  Branches  Covered by its own tests")
    for covered in found:
        print(f"{covered.module:{width}}  {covered.lines:5}  {covered.branches:8}  {covered.shown}")
    left, values = sum(not covered.whole for covered in found), sum(covered.only_values for covered in found)
    tested = len(found) - values
    others = f"; {values} more: values only" if values else ""
    print(f"{tested - left} of {tested} modules are wholly covered{others}.")
    return 1 if left else 0


def pure_modules() -> Iterator[str]:
    """Give the modules of the contract, those of its packages one by one, but for empty ones."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (named,) = (contract["source_modules"] for contract in contracts if contract["name"] == CONTRACT)
    for name in (*named, *OTHERS):
        path = ROOT / name.replace(".", "/")
        if path.is_dir():
            files = (file for file in sorted(path.rglob("*.py")) if file.stat().st_size)
            yield from (".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files)
        else:
            yield name


def test_files(module: str) -> tuple[str, ...]:
    """Return the files of a module's own tests: test_NAME.py, test_NAME_SUBJECT.py, and those of the folder NAME."""
    *packages, name = module.split(".")
    folder = ROOT.joinpath("tests", *packages)
    found = (*folder.glob(f"test_{name}.py"), *folder.glob(f"test_{name}_*.py"), *(folder / name).glob("test_*.py"))
    return tuple(str(file.relative_to(ROOT)) for file in sorted(found) if not any(map(file.match, RANDOM)))


def has_only_values(file: Path) -> bool:
    return not any(isinstance(node, CODE) for node in ast.walk(ast.parse(file.read_text())))


def measure(module: str, directory: Path) -> Covered:
    """Run a module's tests alone, and return what they covered of it."""
    tests, source, report = test_files(module), f"{module.replace('.', '/')}.py", directory / f"{module}.json"
    if not tests:
        only_values = has_only_values(ROOT / source)
        return Covered(module, tests, "" if only_values else "there are no tests of it", only_values=only_values)
    environment = {**os.environ, "COVERAGE_FILE": str(directory / module)}
    commands = (
        ("run", "--branch", f"--include={source}", "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests),
        ("json", "-q", "-o", str(report)),
    )
    for command in commands:
        done = subprocess.run(
            (sys.executable, "-m", "coverage", *command), cwd=ROOT, env=environment, capture_output=True, text=True
        )
        if done.returncode:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
            return Covered(module, tests, f"coverage {command[0]} failed")
    read: dict[str, Any] = json.loads(report.read_text())["files"][source]
    missing = (*map(str, read["missing_lines"]), *(f"{start}->{end}" for start, end in read["missing_branches"]))
    summary = read["summary"]
    return Covered(module, tests, "", summary["num_statements"], summary["num_branches"], missing)


if __name__ == "__main__":
    sys.exit(main())
