"""Tables and pages made from a run's files; knows nothing of the harness that made them."""

from inpaintbench.reports.tables import Run, load_run

__all__ = ["Run", "load_run"]
