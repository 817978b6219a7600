"""A weighted mean of several methods' answers, by weights that validation photographs gave."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.methods.method import Method, PredictingMethod
from inpaintbench.methods.registry import parse_method
from inpaintbench.methods.weights import WeightedMethod, loaded_arrays, read_card

Floats = NDArray[np.float64]

ARRAYS = ("areas", "weights")


class Ensemble(PredictingMethod, WeightedMethod):
    """A convex combination of cnn and fsr:quality=true.

    Methods err in different ways, so that a mean of them errs less than each. The weights are those
    of least squared error on held-out photographs among all that are not negative and add up to 1
    (L. Breiman, "Stacked regressions", Machine Learning 24, 1996, with his constraint and the
    further one of the sum), for each of a few ranges of a hole's area: what is best for small holes
    is not for large ones. `inpaintbench train ensemble` finds them. The members are those that the
    weights' card names; one without a weight for any hole of a picture is not asked.

    The members' own parameters were chosen on crops of the same held-out photographs, so the
    card's figure is cross-fitted as for the weights, but not as for those choices.
    """

    name = "ensemble"
    family = "ensemble"
    tasks = ("crop", "scratches")
    limits = "its networks were trained on small holes in pictures that use all of 0..255"

    @property
    def members(self) -> list[Method]:
        """The methods that are combined, as the card of the weights names them.

        Raises
        ------
        InputError
            If there is no card, or it names no members, or one that there is not.
        """
        labels = read_card(self.weights_path).get("members")
        if not isinstance(labels, list) or not labels:
            raise InputError(f"{self.weights_path.with_suffix('.toml')} names no members")
        return [parse_method(str(label)) for label in labels]

    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Average the members' answers; every member gets its pictures in one batch."""
        members = self.members
        arrays = loaded_arrays(self.weights_file, ARRAYS)
        if arrays["weights"].shape != (len(arrays["areas"]) + 1, len(members)):
            raise InputError(f"{self.weights_path} does not hold a weight for each of its members")
        shares = [
            arrays["weights"][area_bins(hidden_areas(o.mask), arrays["areas"])]
            for o in observations
        ]
        means: list[Array] = [np.zeros((o.mask.sum(), *o.image.shape[2:])) for o in observations]
        for number, member in enumerate(members):
            asked = [k for k, share in enumerate(shares) if share[:, number].any()]
            answers = member.predict_batch([observations[k] for k in asked]) if asked else []
            for k, answer in zip(asked, answers, strict=True):
                means[k] += (answer.T * shares[k][:, number]).T  # of every channel alike
        return means

    def cards(self) -> list[tuple[Path, dict[str, Any]]]:
        """The card of its own weights, and its members' cards."""
        return super().cards() + [card for member in self.members for card in member.cards()]

    def load(self) -> None:
        """Load its own weights and its members'."""
        loaded_arrays(self.weights_file, ARRAYS)
        for member in self.members:
            member.load()

    def weights_sha256(self) -> str:
        """Hash of its own weights' hash, and of its members' labels and weights."""
        parts = [super().weights_sha256()]
        parts += [f"{member.label} {member.weights_sha256()}" for member in self.members]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def hidden_areas(mask: Mask) -> NDArray[np.int64]:
    """For each hidden pixel the number of pixels of its hole; those that touch are of one hole."""
    labels, _ = ndimage.label(mask, np.ones((3, 3), bool))
    return np.asarray(np.bincount(labels.ravel())[labels[mask]], np.int64)


def area_bins(areas: NDArray[np.int64], edges: Floats) -> NDArray[np.intp]:
    """Number of the bin of each area: 0 up to the first edge, itself included, and so on."""
    return np.searchsorted(edges, areas, side="left")
