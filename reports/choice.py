"""Which method to use after a run, and where there is none."""

from inpaintbench.datasets.errors import InputError
from inpaintbench.reports.tables import Run

# What to use for a task where no run of one's own says better.
RECOMMENDED = {
    "crop": "ensemble",
    "border": "border-cnn",
    "grid": "grid-cnn",
    "scratches": "scratches-cnn",
    "center-pixel": "center-pixel-cnn",
    "upscale": "espcn",
    "low-light": "detect-and-inpaint",  # nearly as good as light-unet, and 25 times faster
    "low-light-published": "light-unet",
    "low-light-gaussian": "light-unet",
    "low-light-poisson": "light-unet",
    "low-light-speckle": "light-unet",
}


def best_method(run: Run) -> tuple[str, str]:
    """Choose a method by a run, and say why.

    That is the winner, the lowest challenge MSE of those that restored every case; but the
    recommended method if the run cannot tell it from the winner, since it was chosen on many more
    photographs than runs usually have.

    Returns
    -------
    (str, str)
        Its label, and what it is, to be followed by "of" the run.

    Raises
    ------
    InputError
        If no method restored every case, or the truth is not known.
    """
    board = run.leaderboard().set_index("method")
    winner, usual = str(board.index[0]), RECOMMENDED.get(run.task, "")
    if run.truth_unknown:
        raise InputError(f"nothing in {run.path} could be scored; choose a method with --method")
    if board["coverage"][winner] < 1:
        raise InputError(f"no method in {run.path} restored every case; choose one with --method")
    if usual != winner and board["coverage"].get(usual) == 1:
        rivals = run.differences().set_index("method")
        if not rivals["distinguishable"][usual]:
            return usual, f"recommended, and not told apart from {winner}, the winner"
    return winner, "the winner"
