"""How often the 95 % intervals hold what they promise: `python -m inpaintbench.reports.coverage`.

Scores are simulated, so that the true mean is known. What a photograph's crops have in common is
log-normal: `spread` is the standard deviation of its logarithm. 0.6 is like 300 photographs of
BSDS300 and 795 of objects, 1.1 like 5,756 of clothing (plain walls beside knitwear), by the
coefficient of variation of `harmonic`'s MSE from one photograph to the next: 0.65, 0.70 and 1.36.
"""

import numpy as np

from inpaintbench.reports.intervals import Floats, intervals, score_intervals

REPEATS = 2000
TOGETHER = 250  # repeats, as columns of one table
SPREADS = {"like objects": 0.6, "like clothing": 1.1, "heavier tails": 1.5}
PHOTOGRAPHS = (5, 17, 60, 200)


def simulate(
    photographs: int, spread: float, paired: bool, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Draw tables of scores, one per column, of 5 to 25 cases from each photograph.

    A case's score is its photograph's difficulty times its own, log-normal with deviation 1. A
    `paired` difference is a tenth of that score on average, scattered from photograph to photograph
    and from case to case in proportion to the score: hard cases part methods most.

    Returns
    -------
    scores : (cases, TOGETHER) array
    group : (cases,) array
        The photograph of each case.

    The true mean is `exp(spread**2 / 2)`, and a tenth of it for a difference.
    """
    group = np.repeat(np.arange(photographs), rng.integers(5, 26, photographs))
    shape = (len(group), TOGETHER)
    scores = rng.lognormal(0, spread, (photographs, TOGETHER))[group]
    scores *= rng.lognormal(-0.5, 1, shape)
    if paired:
        common = rng.normal(0, 0.15, (photographs, TOGETHER))[group]
        scores *= 0.1 + common + rng.normal(0, 0.3, shape)
    return scores, group.astype(np.float64)


def coverage(photographs: int, spread: float, paired: bool, repeats: int = REPEATS) -> float:
    """Share of simulated runs whose interval holds the true mean."""
    rng = np.random.default_rng(1)
    true = np.exp(spread**2 / 2) * (0.1 if paired else 1)
    compute = intervals if paired else score_intervals
    hits = 0
    for _ in range(repeats // TOGETHER):
        low, high = compute(*simulate(photographs, spread, paired, rng))
        hits += int(np.count_nonzero((low <= true) & (true <= high)))
    return hits / (repeats // TOGETHER * TOGETHER)


def main() -> None:
    """Print a Markdown table of coverages."""
    headings = ["photographs", *(f"{what} {k}" for k in SPREADS for what in ("mean,", "pair,"))]
    print("| " + " | ".join(headings) + " |\n" + "| --- " * len(headings) + "|")
    for count in PHOTOGRAPHS:
        cells = [coverage(count, s, paired) for s in SPREADS.values() for paired in (False, True)]
        print(f"| {count} | " + " | ".join(f"{cell:.1%}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
