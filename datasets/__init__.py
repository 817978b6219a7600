"""Pictures, tasks, cases and the challenge's file formats. This room knows no other."""

from inpaintbench.datasets.cases import Case, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.images import Photograph
from inpaintbench.datasets.tasks.crop import ex4, make_crop

__all__ = ["Case", "InputError", "Observation", "Photograph", "ex4", "make_crop"]
