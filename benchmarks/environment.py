"""What a run was made with: code, packages, machine, data."""

import hashlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from inpaintbench.benchmarks.suite import Suite
from inpaintbench.datasets.cases import Case
from inpaintbench.reports.tables import FORMAT

PACKAGES = (
    "inpaintbench",
    "numba",
    "numpy",
    "opencv-python",
    "pandas",
    "pillow",
    "scikit-image",
    "scipy",
    "torch",
)


def describe_environment(suite: Suite, cases: Sequence[Case]) -> dict[str, Any]:
    """Describe everything that a run's numbers depend on, ready for JSON."""
    # An installed copy may lie inside somebody else's repository.
    ours = bool(_git("ls-files", "--error-unmatch", Path(__file__).name))
    return {
        "format": FORMAT,
        "command": shlex.join(["inpaintbench", *sys.argv[1:]]),
        "suite": suite.model_dump(),
        "commit": _git("rev-parse", "HEAD") if ours else "",
        "dirty": bool(_git("status", "--porcelain")) if ours else False,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "gpu": _gpu(),
        "threads_per_worker": 1,
        "cases_sha256": hashlib.sha256("".join(c.sha256 for c in cases).encode()).hexdigest(),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git(*arguments: str) -> str:
    """Ask git about the folder of this source; empty where that is no checkout."""
    here = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", "-C", str(here), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _gpu() -> str:
    """Names of the GPUs by NVIDIA's own tool: asking torch would take seconds to import it."""
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "none"
    return ", ".join(answer.stdout.split("\n")).strip(", ")
