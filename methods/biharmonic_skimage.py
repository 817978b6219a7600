"""Biharmonic inpainting, by scikit-image: the reference for `biharmonic`."""

import numpy as np

from inpaintbench.datasets.cases import Array, Mask, Observation
from inpaintbench.methods.method import Method, highest_value, per_channel


class BiharmonicSkimage(Method):
    """Biharmonic inpainting (Damelin and Hoang 2018), as scikit-image implements it.

    S. B. Damelin, N. S. Hoang, "On surface completion and image inpainting by biharmonic
    functions", International Journal of Mathematics and Mathematical Sciences, 2018. The hidden
    surface has a bilaplacian of 0 and joins the known one smoothly. `biharmonic`
    gives the same answer sooner.
    """

    name = "biharmonic-skimage"
    family = "diffusion"
    promises = ("shift", "contrast", "flip", "transpose")

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        highest = highest_value(observation)

        def fill(image: Array, mask: Mask) -> Array:
            from skimage.restoration import inpaint_biharmonic

            # It clips to the known pixels' range, so scale to 0..1 first and back after.
            return np.asarray(inpaint_biharmonic(image / highest, mask)) * highest

        return per_channel(fill, observation)
