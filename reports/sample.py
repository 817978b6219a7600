"""The cases whose pictures a run kept, and what only pictures can tell."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from inpaintbench.datasets.cases import bounding_box, evenly, grown
from inpaintbench.reports.picture import kept_ids, kept_picture
from inpaintbench.reports.tables import Run
from inpaintbench.reports.tiles import Shades, shades_of

PIXELS = 40_000_000  # of restorations that are read at the most, where whole pictures are restored
NEAR = 8  # pixels around a hole that count as its surroundings
FIFTHS = ("calmest", "calm", "middling", "busy", "busiest")

Pixels = NDArray[np.integer]
Box = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class KeptCase:
    """A case as a run kept it.

    Attributes
    ----------
    case_id : str
    observed : (H, W) or (H, W, 3) array
        What the methods saw: hidden pixels are 0.
    truth : array of the same shape, or None
        None where it is not known.
    mask : (H, W) array
        True where a pixel is hidden.
    box : the rows and columns that hold all hidden pixels
    restorations : dict
        By a method's label, the pixels of the box as it painted them.
    """

    case_id: str
    observed: Pixels
    truth: Pixels | None
    mask: NDArray[np.bool_]
    box: Box
    restorations: dict[str, Pixels]

    @property
    def shades(self) -> Shades:
        """How all pictures of the case are shown: by what is known, or by the whole truth."""
        if not self.mask.all():
            return shades_of(self.observed[~self.mask])
        return shades_of(self.observed if self.truth is None else self.truth)


def kept_cases(run: Run, labels: Sequence[str], most: int = 500) -> list[KeptCase]:
    """Read the pictures that a run kept, of `most` cases at the most, evenly over the suite.

    Of fewer, where they would be more than `PIXELS` pixels. Cases of which the observation or the
    mask is missing or damaged are left out, and so are missing restorations: a run may have been
    moved without its pictures.
    """
    masks = kept_ids(run)
    ids = [case_id for case_id in run.cases["case_id"] if case_id in masks]
    boxes = run.cases["hidden_height"] * run.cases["hidden_width"]
    most = min(most, max(int(PIXELS / (max(len(labels), 1) * boxes.mean())), 1))
    read = (_kept_case(run, ids[place], labels) for place in evenly(len(ids), most))
    return [case for case in read if case is not None]


def _kept_case(run: Run, case_id: str, labels: Sequence[str]) -> KeptCase | None:
    mask, observed, truth = (
        kept_picture(run, "pictures", what, case_id) for what in ("mask", "observed", "truth")
    )
    if mask is None or observed is None or not mask.any() or observed.shape[:2] != mask.shape:
        return None
    hidden = np.asarray(mask > 0)
    box = bounding_box(hidden)
    painted = {label: kept_picture(run, "restorations", label, case_id) for label in labels}
    inside = {n: p[box] for n, p in painted.items() if p is not None and p.shape == observed.shape}
    return KeptCase(case_id, observed, truth, hidden, box, inside)


def error_by_distance(cases: Sequence[KeptCase], levels: int = 255) -> pd.DataFrame:
    """Mean squared error by the distance of hidden pixels from the nearest known one.

    Distances count steps to any of the 8 neighbours, 1 for a pixel that touches a known one. Every
    hidden pixel counts once, so that large holes weigh more than in the challenge MSE.

    Parameters
    ----------
    levels : what the highest value of a picture's dtype stands for, as `Run.levels` says it

    Returns
    -------
    DataFrame
        Columns `method`, `distance`, `pixels` (how many) and `mse`.
        Without known pixels there is no distance: such cases are left out.
    """
    parts = []
    for case in cases:
        if case.truth is None or case.mask.all():
            continue
        hidden, truth = case.mask[case.box], case.truth[case.box].astype(np.float64)
        steps = ndimage.distance_transform_cdt(case.mask, "chessboard")[case.box][hidden]
        scale = levels / np.iinfo(case.truth.dtype).max
        for label, painted in case.restorations.items():
            squared = ((painted.astype(np.float64) - truth) * scale) ** 2
            squared = squared.mean(axis=2) if squared.ndim == 3 else squared
            parts.append((label, np.bincount(steps), np.bincount(steps, squared[hidden])))
    rows = [
        (label, distance, counts[distance], sums[distance])
        for label, counts, sums in parts
        for distance in np.flatnonzero(counts)
    ]
    table = pd.DataFrame(rows, columns=["method", "distance", "pixels", "mse"])
    table = table.groupby(["method", "distance"], as_index=False).sum()
    table["mse"] = table["mse"].astype(np.float64) / table["pixels"]
    return table


def busyness(case: KeptCase) -> float:
    """Root mean square gradient of the known pixels around a hole, in grey levels a pixel.

    Of differences between neighbours that are both known and at most `NEAR` pixels away from the
    box around the hole; NaN if there are none.
    """
    rows, columns = grown(case.box, NEAR)
    grey = case.observed.astype(np.float64) * (255 / np.iinfo(case.observed.dtype).max)
    grey = (grey.mean(axis=2) if grey.ndim == 3 else grey)[rows, columns]
    known = ~case.mask[rows, columns]
    squares = [
        np.diff(grey, axis=axis)[both] ** 2
        for axis, both in ((0, known[1:] & known[:-1]), (1, known[:, 1:] & known[:, :-1]))
    ]
    if not all(len(part) for part in squares):
        return float("nan")
    return float(np.sqrt(sum(part.mean() for part in squares)))


def by_surroundings(run: Run, cases: Sequence[KeptCase]) -> pd.DataFrame:
    """Mean MSE by how busy a hole's surroundings are, in fifths of the cases that were kept.

    Returns
    -------
    DataFrame
        Methods (rows, best first) by `FIFTHS` (columns); without columns if there are fewer cases
        than fifths.
    """
    methods = run.leaderboard()["method"]
    busy = pd.Series({case.case_id: busyness(case) for case in cases}, dtype=float).dropna()
    if len(busy) < len(FIFTHS):
        return pd.DataFrame(index=pd.Index(methods, name="method"))
    fifths = pd.qcut(busy.rank(method="first"), len(FIFTHS), labels=list(FIFTHS))
    table = run.mse.loc[busy.index].groupby(np.asarray(fifths.astype(object))).mean().T
    return table.loc[methods, list(FIFTHS)].rename_axis("method")
