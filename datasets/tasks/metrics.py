"""What a case is scored by: names, directions, ranges and units, for whoever prints them."""

from collections.abc import Collection
from typing import NamedTuple

NEED_KNOWN = ("edge_mse", "altered_known")  # columns that say nothing where all pixels are hidden


class Metric(NamedTuple):
    """A column of the scores.

    Attributes
    ----------
    column : its name in `scores.parquet`
    title : what tables call it
    unit : of its values; "" if they have none
    better : "lower", "higher", or "" where it is neither, such as a value that others are made of
    low, high : the range of its values; None where there is no bound
    meaning : in a sentence, with the source where it is somebody's
    """

    column: str
    title: str
    unit: str
    better: str
    low: float | None
    high: float | None
    meaning: str


def usual_metrics(title: str, unit: str, without: Collection[str] = ()) -> tuple[Metric, ...]:
    """Describe the columns that every task fills, but for those that mean nothing to it.

    Parameters
    ----------
    title : of the mean squared error, by which methods are ranked
    unit : of the values: "grey levels" or "counts"
    without : columns to leave out
    """
    metrics = (
        Metric("mse", title, f"squared {unit}", "lower", 0, None, "mean over hidden pixels"),
        Metric("mae", "MAE", unit, "lower", 0, None, "mean absolute error of hidden pixels"),
        Metric("psnr", "PSNR", "dB", "higher", None, None, "from the case's MSE; rounding caps it"),
        Metric("ssim", "SSIM", "", "higher", -1, 1, "mean over hidden pixels (Wang et al. 2004)"),
        Metric(
            "edge_mse",
            "edge MSE",
            f"squared {unit}",
            "lower",
            0,
            None,
            "mean over those hidden pixels that touch a known one",
        ),
        Metric(
            "altered_known",
            "known altered",
            "grey levels",
            "lower",
            0,
            255,
            "most that a known pixel was changed; it is pasted back before scoring",
        ),
    )
    return tuple(metric for metric in metrics if metric.column not in without)
