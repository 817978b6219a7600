"""Exemplar filling with exhaustive search, the reference for patchmatch."""

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.neighbours import Exemplar, fill_beside
from inpaintbench.methods.patches import check_parameters, fill_with_patches, no_patch_caveat


class ExactNearestPatch(Exemplar):
    """What `patchmatch` does, but every patch gets its nearest known patch of all.

    It says what patchmatch's approximate search costs in quality and saves in time. See there for
    the sources and for what is done otherwise than they say. Where no patch is wholly known, the
    fill is harmonic.

    Parameters
    ----------
    patch : int
        Odd side of a patch, in pixels.
    rounds : int
        Rounds of matching and averaging at each level.
    search : str
        "picture" copies from the picture alone, "set" also from the other pictures of the test set.
    """

    name = "exact-nearest-patch"
    tasks = ("crop", "border", "scratches", "center-pixel")
    limits = "no patch of a grid is wholly known"
    patch: int = 7
    rounds: int = 2

    def __post_init__(self) -> None:
        check_parameters(self.patch, self.rounds, sweeps=1)
        super().__post_init__()

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return fill_beside(
            lambda image, mask, shape: fill_with_patches(
                image, mask, shape, self.patch, self.rounds, sweeps=0
            ),
            observation,
            self.windows(observation),
        )

    def caveat(self, mask: Mask) -> str:
        """Say whether there is no patch to copy."""
        return no_patch_caveat(mask, self.patch)
