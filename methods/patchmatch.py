"""Exemplar filling with PatchMatch correspondences."""

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import check_seed
from inpaintbench.methods.neighbours import Exemplar, fill_beside
from inpaintbench.methods.patches import check_parameters, fill_with_patches, no_patch_caveat


class PatchMatch(Exemplar):
    """Fill the hole so that every patch of it resembles some known patch.

    Correspondences by PatchMatch (Barnes, Shechtman, Finkelstein, Goldman, "PatchMatch: a
    randomized correspondence algorithm for structural image editing", ACM Transactions on Graphics
    28(3), 2009): random initialisation, propagation from neighbours in scan order and back, and
    random search in shrinking windows. The hole is filled by expectation-maximisation as in Wexler,
    Shechtman and Irani, "Space-time completion of video", IEEE TPAMI 29(3), 2007: each hidden pixel
    becomes the average of what the matches of all patches over it say, weighted by how well they
    match and how much of them is known; matching and averaging alternate, from coarse to fine.

    Departs from the papers for the sake of speed: a random try looks at 32 places in a row, at
    little more than the cost of one, and the windows shrink by 4 instead of 2. And for the sake of
    squared error: patches are compared, and vote, with their means taken out, as with the bias of
    Darabi et al., "Image melding", ACM Transactions on Graphics 31(4), 2012; the last vote draws a
    match towards the harmonic filling as far as it differs from its patch; each level starts half
    from the coarser one and half from the harmonic filling. A match must be known completely, and
    the answer stays in the known pixels' range. In colour every channel is filled by itself, from
    places of its own: matches vote, and what is averaged is no colour of the picture anyway. Where
    no patch is wholly known, the fill is harmonic.

    Parameters
    ----------
    patch : int
        Odd side of a patch, in pixels.
    rounds : int
        Rounds of matching and averaging at each level.
    sweeps : int
        Sweeps of propagation and random search in each round.
    search : str
        "picture" copies from the picture alone, "set" also from the other pictures of the test set.
    seed : int
        Of the random numbers: the same seed gives the same restoration.
    """

    name = "patchmatch"
    tasks = ("crop", "border", "scratches", "center-pixel")
    limits = "no patch of a grid is wholly known"
    patch: int = 7
    rounds: int = 2
    sweeps: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        check_parameters(self.patch, self.rounds, self.sweeps)
        check_seed(self.seed)
        super().__post_init__()

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        options = (self.patch, self.rounds, self.sweeps, self.seed)
        return fill_beside(
            lambda image, mask, shape: fill_with_patches(image, mask, shape, *options),
            observation,
            self.windows(observation),
        )

    def caveat(self, mask: Mask) -> str:
        """Say whether there is no patch to copy."""
        return no_patch_caveat(mask, self.patch)
