"""A weighted mean of several methods' answers, by weights that validation photographs gave."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.datasets.errors import InputError
from inpaintbench.methods.method import Method, PredictingMethod, highest_value
from inpaintbench.methods.registry import parse_method
from inpaintbench.methods.weights import WeightedMethod, loaded_arrays, read_card


class Ensemble(PredictingMethod, WeightedMethod):
    """A weighted mean of cnn, cnn:size=small, fsr:quality=true and gaussian-mixture.

    Methods err in different ways, so that a mean of them errs less than each. The weights add up to
    1 and are those of least squared error on held-out photographs (J. Bates and C. Granger, "The
    combination of forecasts", Operational Research Quarterly 20, 1969). They may be negative: the
    small network errs as the large one does, only more, so what leads away from it leads on.
    `inpaintbench train ensemble` finds them. The members are those that the weights' card names.

    The members' own parameters were chosen on crops of the same held-out photographs, and so were
    the members, so the card's figure is cross-fitted as for the weights, but not as for those
    choices.
    """

    name = "ensemble"
    family = "ensemble"
    tasks = ("crop", "scratches")
    limits = "its networks were trained on small holes in pictures that use all of 0..255"

    @cached_property
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
        weights = loaded_arrays(self.weights_file, ("weights",))["weights"]
        if weights.shape != (len(members),):
            raise InputError(f"{self.weights_path} does not hold a weight for each of its members")
        means: list[Array] = [np.zeros((o.mask.sum(), *o.image.shape[2:])) for o in observations]
        for weight, member in zip(weights, members, strict=True):
            answers = member.predict_batch(observations)
            means = [m + weight * answer for m, answer in zip(means, answers, strict=True)]
        return [m.clip(0, highest_value(o)) for m, o in zip(means, observations, strict=True)]

    def expected_errors(self, observations: Sequence[Observation]) -> list[Array] | None:
        """Expect what the first member that knows expects of itself: as shipped, of `cnn`.

        That is a little too much: on held-out photographs the mean has 1.4 % less.
        """
        expected = (member.expected_errors(observations) for member in self.members)
        return next((errors for errors in expected if errors is not None), None)

    def caveat(self, mask: Mask) -> str:
        """Say where a member cannot do what it is known for."""
        caveats = (member.caveat(mask) for member in self.members)
        return next((caveat for caveat in caveats if caveat), "")

    def cards(self) -> list[tuple[Path, dict[str, Any]]]:
        """The card of its own weights, and its members' cards."""
        return super().cards() + [card for member in self.members for card in member.cards()]

    def load(self) -> None:
        """Load its own weights and its members'."""
        loaded_arrays(self.weights_file, ("weights",))
        for member in self.members:
            member.load()

    def weights_sha256(self) -> str:
        """Hash of its own weights' hash, and of its members' labels and weights."""
        parts = [super().weights_sha256()]
        parts += [f"{member.label} {member.weights_sha256()}" for member in self.members]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()
