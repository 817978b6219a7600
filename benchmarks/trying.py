"""Trying methods on one picture: holes of one's own choice, and the answers side by side."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inpaintbench.benchmarks.answers import pack, picture_of
from inpaintbench.benchmarks.isolation import Isolation, Limits
from inpaintbench.benchmarks.restoring import Outcome, attempt
from inpaintbench.benchmarks.scoring import score_picture
from inpaintbench.datasets.cases import Array, Case, Mask, Observation, bounding_box, hide
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import check_writable, safe_name, write_picture, written_whole
from inpaintbench.datasets.images import decode_in_colour, decode_mask
from inpaintbench.methods.method import Method
from inpaintbench.reports.tiles import eight_bits, shades_of

# From one that takes no time to the best network: of different families and costs.
USUAL = ("harmonic", "coherence-transport", "fsr", "patchmatch", "cnn")

LOSSLESS = frozenset({".png", ".tif", ".tiff"})
SHEET = "side-by-side.png"
COLUMNS = 4  # of the contact sheet

Restore = Callable[[Method, Observation], Outcome]


@dataclass(frozen=True, eq=False)
class Trial:
    """What one method made of the picture.

    Attributes
    ----------
    label, family : str
        Of the method.
    status : str
        "ok", or what became of it, as in a run: "error", "timeout", "crash", "oom", "invalid".
    note : str
        Why it failed, or what should be known of its answer.
    seconds : float
        Of restoring alone: what is imported, loaded or compiled the first time is not counted.
    picture : array of the picture's shape and dtype, or None
        Known pixels are those of the picture.
    mse, psnr : float
        Over the hidden pixels; MSE in grey levels of 0..255. NaN where the truth is not known.
    """

    label: str
    family: str
    status: str
    note: str
    seconds: float
    picture: Array | None = None
    mse: float = float("nan")
    psnr: float = float("nan")


def read_picture(path: Path) -> Array:
    """Read a picture file as `decode_in_colour` does.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    return _read(path, decode_in_colour)


def _read(path: Path, decoder: Callable[[bytes], Array]) -> Array:
    try:
        return decoder(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"cannot read {path}: {error}") from error


def hole_mask(picture: Array, boxes: Sequence[str], mask_file: Path | None) -> Mask:
    """Hide boxes given as "X,Y,H,W" and what `decode_mask` makes of a file: all that either hides.

    X is the first row of a box and Y its first column, as the challenge names its axes.

    Raises
    ------
    InputError
        If a box or the mask is at fault, or nothing is hidden, or everything.
    """
    height, width = picture.shape[:2]
    mask = np.zeros((height, width), bool)
    for box in boxes:
        x, y, h, w = _numbers(box)
        if x < 0 or y < 0 or h < 1 or w < 1 or x + h > height or y + w > width:
            raise InputError(
                f"--box {box} is not inside the picture, which has {height} rows and {width} "
                f"columns: X (row) from 0, Y (column) from 0, X+H at most {height}, "
                f"Y+W at most {width}"
            )
        mask[x : x + h, y : y + w] = True
    if mask_file:
        drawn = _read(mask_file, decode_mask)
        if drawn.shape != mask.shape:
            size = f"{drawn.shape[0]} rows and {drawn.shape[1]} columns"
            raise InputError(f"{mask_file} has {size}, the picture {height} and {width}")
        mask |= drawn
    where = f"{mask_file}: " if mask_file else ""
    if not mask.any():
        ways = "draw with anything but black" if mask_file else "give --box X,Y,H,W or --mask FILE"
        raise InputError(f"{where}nothing is hidden: {ways} (not 0 = hidden)")
    if mask.all():
        raise InputError(f"{where}every pixel is hidden: leave some for the methods to go by")
    return mask


def _numbers(box: str) -> list[int]:
    try:
        numbers = [int(part) for part in box.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 4:
        raise InputError(f"--box {box!r} is not X,Y,H,W: four whole numbers, such as 40,60,16,16")
    return numbers


@contextmanager
def restorer(timeout: float) -> Iterator[Restore]:
    """Give a function that restores one picture by one method, in a process that can be killed.

    The process is kept for the next call, with what it has loaded; threads may share the function.

    Parameters
    ----------
    timeout : seconds that a method may take
    """
    warm: set[tuple[str, str, int]] = set()  # methods, and the kinds of picture they have seen
    limits = Limits(timeout)
    process = Isolation(limits.gibibytes)
    one_at_a_time = threading.Lock()

    def restore(method: Method, observation: Observation) -> Outcome:
        # First a small picture, so that no time is that of loading or compiling.
        kind = (method.label, str(observation.image.dtype), observation.image.ndim)
        with one_at_a_time:
            for seen in [observation] if kind in warm else [_small(observation), observation]:
                (outcome,) = attempt(
                    process, method, pack([seen]), pack([]), limits, ask_again=False
                )
                if outcome.status in ("timeout", "crash"):
                    warm.clear()  # a new process has loaded nothing
                    return outcome
            warm.add(kind)
        return outcome

    try:
        yield restore
    finally:
        process.close()


def _small(observation: Observation) -> Observation:
    """Make a small picture of the same kind, with a hole in the middle or as a whole asked for."""
    image = observation.image
    levels = np.add.outer(np.arange(48), np.arange(48)) % 200
    small = np.zeros((48, 48, *image.shape[2:]), image.dtype)
    small.T[:] = levels  # of every channel
    if observation.mask.all():
        times = observation.mask.shape[0] // image.shape[0]
        return Observation(small, np.ones((48 * times, 48 * times), bool))
    mask = np.zeros((48, 48), bool)
    mask[20:27, 20:27] = True
    return Observation(hide(small, mask), mask)


def try_method(
    restore: Restore, method: Method, picture: Array, mask: Mask, truth_known: bool
) -> Trial:
    """Hide a part of a picture, let a method restore it, and compare.

    Parameters
    ----------
    restore : from `restorer`
    picture : (H, W) or (H, W, 3) array of uint8 or uint16
    mask : (H, W) array of bool, `True` where hidden
    truth_known : whether the picture shows the truth where it is hidden, so that there are errors
    """
    observation = Observation(hide(picture, mask), mask)
    outcome = restore(method, observation)
    kind = (method.label, method.family)
    if not outcome.is_ok:
        return Trial(*kind, outcome.status, outcome.message, outcome.seconds)
    restored = picture_of(outcome.hidden, observation)
    scores = _scores(restored, picture, mask) if truth_known else {}
    errors = [scores.get(name, float("nan")) for name in ("mse", "psnr")]
    return Trial(*kind, "ok", method.caveat(mask), outcome.seconds, restored, *errors)


def _scores(restored: Array, truth: Array, mask: Mask) -> dict[str, float]:
    """Score the holes alone: the rest of a large picture would only take time."""
    part = bounding_box(mask)
    case = Case("tried", "try", "", "", 0, truth[part], mask[part])
    return score_picture(restored[part], case, ("mse", "psnr"))


def same_answer(trial: Trial, earlier: Sequence[Trial]) -> str:
    """Label of the first earlier trial with the same picture; "" if there is none.

    Many methods fall back to another's fill where a hole is too large for them.
    """
    if trial.picture is None:
        return ""
    painted = ((other.label, other.picture) for other in earlier if other.picture is not None)
    return next((label for label, other in painted if np.array_equal(trial.picture, other)), "")


def around(mask: Mask, least: int) -> tuple[slice, slice]:
    """Find the part of a picture that shows all holes, and half as much around them.

    `least` pixels at the least, as far as the picture goes.
    """
    parts = []
    for side, length in zip(bounding_box(mask), mask.shape, strict=True):
        start, stop = int(side.start), int(side.stop)
        margin = max(least, (stop - start) // 2)
        parts.append(slice(max(start - margin, 0), min(stop + margin, length)))
    return parts[0], parts[1]


def check_output(output: Path, image: Path, methods: Sequence[Method]) -> None:
    """Check before the work that `write_trials` will be able to write.

    Raises
    ------
    InputError
        If a method fills no holes, or its weights are wrong; if `output` is a file of a kind that
        loses pixels, one for several methods, or the picture itself.
    """
    for method in methods:
        if not method.fills_holes():
            raise InputError(f"{method.label} fills no holes: {method.limits}")
        method.weights_sha256()
    if output.is_dir() or not output.suffix:
        targets = [output / f"{safe_name(method.label)}.png" for method in methods]
        targets.append(output / SHEET)
    elif output.suffix.lower() not in LOSSLESS:
        raise InputError(
            f"cannot write {output} losslessly; name a .png or .tif, or a folder without a dot"
        )
    elif len(methods) > 1:
        raise InputError(f"{len(methods)} methods do not fit into {output}: name a folder")
    else:
        targets = [output]
    for target in targets:
        check_writable(target, image)


def write_trials(
    output: Path, picture: Array, mask: Mask, trials: Sequence[Trial], truth_known: bool
) -> list[Path]:
    """Write the restored pictures, losslessly and in the picture's own dtype.

    Into a folder, with a sheet that shows them side by side; or one method's into a file.

    Returns
    -------
    list of Path
        What was written: nothing if no method restored the picture.
    """
    whole = [(trial, trial.picture) for trial in trials if trial.picture is not None]
    if not whole:
        return []
    if not output.is_dir() and output.suffix:
        write_picture(whole[0][1], output)  # one method's: see `check_output`
        return [output]
    paths = [output / f"{safe_name(trial.label)}.png" for trial, _ in whole]
    for path, (_, restored) in zip(paths, whole, strict=True):
        write_picture(restored, path)
    _write_sheet(output / SHEET, picture, mask, trials, truth_known)
    return [*paths, output / SHEET]


def _write_sheet(
    path: Path, picture: Array, mask: Mask, trials: Sequence[Trial], truth_known: bool
) -> None:
    """Draw what surrounds the holes: observed, the picture itself, and what every method made."""
    from matplotlib.figure import Figure

    shades = shades_of(picture[~mask])
    about = "\n".join(line for line in ("the holes are black", shades.text) if line)
    shown = [("observed", about, hide(picture, mask))]
    if truth_known:
        shown.append(("truth", "", picture))
    shown += [(t.label, caption(t), t.picture) for t in trials if t.picture is not None]
    part = around(mask, 24)
    rows = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 3.4 * rows), layout="constrained")
    axes = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for ax in axes:
        ax.set_axis_off()
    for ax, (title, below, pixels) in zip(axes, shown, strict=False):
        ax.set_title(_short(title), fontsize=9, parse_math=False)
        ax.imshow(eight_bits(pixels[part], shades), cmap="gray", vmin=0, vmax=255)
        ax.text(0.5, -0.02, below, fontsize=8, ha="center", va="top", transform=ax.transAxes)
    with written_whole(path) as temporary:
        figure.savefig(temporary, dpi=110)


def caption(trial: Trial) -> str:
    """Say in a line how long a method took and how far off it was."""
    seconds = f"{trial.seconds:.3g} s"
    return seconds if np.isnan(trial.mse) else f"MSE {trial.mse:.1f}, {seconds}"


def _short(text: str, most: int = 40) -> str:
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"
