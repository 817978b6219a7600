"""What a run was made with: code, packages, machine, data."""

import os
import platform
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from inpaintbench.benchmarks.suite import Suite
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

# What decides how fast networks and matrices are on a CPU; torch and numpy ask for the same.
CPU_FLAGS = (
    "avx2",
    "fma",
    "f16c",
    "avx512f",
    "avx512_bf16",
    "amx_bf16",
    "amx_tile",
    "asimd",
    "bf16",
)


def describe_environment(suite: Suite, cases_sha256: str) -> dict[str, Any]:
    """Describe everything that a run's numbers depend on, ready for JSON."""
    # An installed copy may lie inside somebody else's repository.
    ours = bool(_git("ls-files", "--error-unmatch", Path(__file__).name))
    return {
        "format": FORMAT,
        "command": shlex.join(["inpaintbench", *sys.argv[1:]]),
        "suite": suite.model_dump(),
        "metrics": suite.metrics,
        "commit": _git("rev-parse", "HEAD") if ours else "",
        "dirty": bool(_git("status", "--porcelain")) if ours else False,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "cpu": _cpuinfo("model name") or platform.processor(),
        "cpu_flags": _cpu_flags(),
        "cores": os.cpu_count(),
        "cores_allowed": _cores_allowed(),
        "memory_bytes": _memory(),
        "gpu": _gpu(),
        "threads_per_worker": 1,
        "cases_sha256": cases_sha256,
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


def _cpu_flags() -> list[str]:
    """Those of `CPU_FLAGS` that the processor has, on Linux."""
    flags = set(_cpuinfo("flags", "Features").split())
    return [flag for flag in CPU_FLAGS if flag in flags]


def _cpuinfo(*names: str) -> str:
    """Look the first of these fields up that Linux tells of its first processor; else empty."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return ""
    fields = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in fields if key.strip() in names), "")


def _cores_allowed() -> list[int]:
    """Numbers of the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _memory() -> int:
    """Bytes of memory in all; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


def _gpu() -> str:
    """GPUs with memory and driver by NVIDIA's own tool: torch would take seconds to import."""
    fields = "--query-gpu=name,memory.total,driver_version"
    command = ["nvidia-smi", fields, "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "none"
    return ", ".join(answer.stdout.split("\n")).strip(", ")
