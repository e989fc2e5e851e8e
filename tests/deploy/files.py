"""Where the deployment's files are, and how tests read and run what checks them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import front_door
from tests.support.pods import ROOT

DEPLOY = ROOT / "deploy"
# With the checkers that this environment has installed.
PATHS = os.pathsep.join([str(Path(sys.executable).parent), front_door.PATHS])


def tool(name: str, package: str) -> str:
    """Return the path of a program; skip the test where it is not installed."""
    path = shutil.which(name, path=PATHS)
    if path is None:
        pytest.skip(f"{name} is not installed; it comes with {package}")
    return path


def run(*command: str, stdin: str = "", cwd: Path = ROOT) -> str:
    """Run a checker to its end; what it says is the failure where it finds something."""
    done = subprocess.run(command, input=stdin, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def load(path: str) -> Any:
    """Read one YAML document below deploy/."""
    return yaml.safe_load((DEPLOY / path).read_text())


def load_all(text: str) -> list[dict[str, Any]]:
    """Read a stream of YAML documents."""
    return [document for document in yaml.safe_load_all(text) if document]
