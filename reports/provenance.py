"""Where a run's numbers come from: code, data, machine, and how to make them again."""

import shlex
from typing import Any

from inpaintbench.reports.tables import Run


def provenance(run: Run) -> list[tuple[str, str]]:
    """Tell what a run was made with, as pairs of a name and a text.

    What an earlier version did not record is left out.
    """
    known = run.environment
    suite = known.get("suite", {}) | {"cases": len(run.cases)}  # which may be fewer than asked for
    drawn = [f"{key} {suite[key]}" for key in ("task", "images", "cases", "seed") if key in suite]
    packages = [f"{name} {version}" for name, version in known.get("packages", {}).items()]
    python = [f"Python {known['python']}"] if "python" in known else []
    pairs = [
        ("finished", known.get("finished", "not yet")),
        ("commit", _commit(known)),
        ("suite", f"{suite.get('name', 'not recorded')}: {', '.join(drawn)}"),
        ("cases' hash", known.get("cases_sha256", "")),
        ("sources", _sources(run)),
        ("machine", _machine(known)),
        ("packages", ", ".join(python + packages)),
        *((f"weights of {n}", digest) for n, digest in known.get("weights_sha256", {}).items()),
        ("skipped files", _several(list(known.get("skipped_files", {})))),
        ("differing cases", _differing(known.get("cases_unlike_manifest", []))),
    ]
    return [(name, str(text)) for name, text in pairs if text]


def reproduction(run: Run) -> list[tuple[str, str]]:
    """Say which commands make the run and its page again, as pairs of a purpose and a command."""
    report = f"inpaintbench report {shlex.quote(str(run.path))}"
    commands = [("this page again, from the run's files", report)]
    command, commit = run.environment.get("command"), run.environment.get("commit")
    if command:
        commands.append(("the run itself", str(command)))
    if commit:
        commands.insert(1, ("the code as it was", f"git checkout {commit}"))
    return commands


def _commit(known: dict[str, Any]) -> str:
    if "commit" not in known:
        return "not recorded"
    changed = ", with uncommitted changes" if known.get("dirty") else ""
    return f"{known['commit'] or 'not a checkout'}{changed}"


def _sources(run: Run) -> str:
    counts = run.cases.groupby("source")["image_id"].nunique()
    return ", ".join(f"{source} ({count} photographs)" for source, count in counts.items())


def _machine(known: dict[str, Any]) -> str:
    parts = [known.get("cpu", ""), f"{known['cores']} cores" if "cores" in known else ""]
    if known.get("cores_allowed"):
        parts.append(f"{len(known['cores_allowed'])} of them allowed")
    if known.get("memory_bytes"):
        parts.append(f"{known['memory_bytes'] / 2**30:.1f} GiB of memory")
    parts.append(f"GPU: {known['gpu']}" if "gpu" in known else "")
    parts.append(known.get("platform", ""))
    return ", ".join(part for part in parts if part)


def _several(names: list[str]) -> str:
    if not names:
        return ""
    more = f", and {len(names) - 20} more" if len(names) > 20 else ""
    return f"{len(names)}: {', '.join(names[:20])}{more}"


def _differing(cases: list[str]) -> str:
    if not cases:
        return ""
    return (
        f"{len(cases)} cases differ from the suite's manifest: another decoder or library version "
        "made other pixels."
    )
