"""Stacked denoising autoencoders on the patch around a hole."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import he_normal
from inpaintbench.methods.networks.window_network import CONTRAST, WindowNetwork, blanked

PATCH = 39  # pixels; 9 known ones on every side of the largest hole of the challenge
HIDDEN = 448
DROPPED = 0.1  # share of the inputs that are lost in training, besides the hole


class DenoisingAutoencoderNet(WindowNetwork):
    """Fully connected layers from a corrupted patch to the clean one (Xie, Xu, Chen 2012).

    As published: patches, fully connected layers, corruption in training: the hole, and a share of
    the inputs besides. Departures: the patch has the hole in its middle and is larger, since the
    original's holes were thin letters, and these are up to 21x21; it takes the mask as well, where
    the original was blind; ReLU for the sigmoid; trained at once, not layer by layer first, and
    without the sparsity and weight penalties, and for the hidden pixels alone. Hidden pixels that
    the patch around the middle of all hidden ones does not reach get the mean of the known ones.

    Parameters
    ----------
    channels : of the picture: 1 for grey, 3 for colour
    patch : pixels a side; not more than the window's
    """

    def __init__(self, channels: int = 1, patch: int = PATCH) -> None:
        super().__init__()
        self.patch = patch
        pixels = patch**2
        self.layers = nn.Sequential(
            nn.Linear((channels + 1) * pixels, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, channels * pixels),
        )
        he_normal(self)

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Restore windows; the fill is not used."""
        x, mean = blanked(filled, mask)
        places = self._places(mask)
        patches = x.flatten(2).gather(2, places.expand(-1, x.shape[1], -1))
        hidden = mask.flatten(2).gather(2, places).flatten(1)
        corrupted = F.dropout(patches.flatten(1), DROPPED, self.training)
        restored = self.layers(torch.cat([corrupted, hidden], 1)).float().view_as(patches)
        output = torch.zeros_like(filled).flatten(2)
        output = output.scatter(2, places.expand_as(patches), restored.to(output.dtype))
        return output.view_as(filled) / CONTRAST + mean

    def _places(self, mask: Tensor) -> Tensor:
        """Number the pixels of the patch around the middle of each window's hole: `(N, 1, n)`."""
        rows, columns = (_middle(mask.amax((1, a)), self.patch) for a in (3, 2))
        return (rows[:, :, None] * mask.shape[3] + columns[:, None, :]).flatten(1)[:, None]


def _middle(hidden: Tensor, patch: int) -> Tensor:
    """Index the patch's pixels along one axis, `(N, patch)`, from which are hidden, `(N, side)`."""
    side = hidden.shape[1]
    first, last = hidden.argmax(1), side - 1 - hidden.flip(1).argmax(1)
    start = ((first + last - patch + 1) // 2).clamp(0, side - patch)
    return start[:, None] + torch.arange(patch, device=hidden.device)
