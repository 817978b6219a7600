"""The published network for enlarging: 85 million parameters, and not one nonlinearity."""

import torch.nn.functional as F
from torch import Tensor, nn

from inpaintbench.methods.networks.restorer import Restorer

SIDE = 64  # pixels of the picture that it takes
WIDTH = 16
DROPOUT = 0.2
CENTRE = 0.5  # subtracted and added again, so that training starts near what is wanted


class AffineNet(Restorer):
    """Three convolutions, three transposed ones, and a layer from all pixels to all.

    As published: convolutions of 1x1, 3x3 and 4x4, dropout, three transposed convolutions, all
    without padding, and a fully connected layer of 16,384 outputs, with no activation anywhere.
    What is known of it fixes that layer's input at 72x72 in one channel, since it holds the 85
    million parameters; widths of 16 and transposed kernels of 5, 5 and 6, which lead from the 59
    pixels after the convolutions to 72, are ours, as is the rate of the dropout. Departure: a
    picture of another size is taken apart into squares of 64x64, the last ones filled up by its
    border, and 0.5 is subtracted from what it sees and added to what it says.

    With dropout off it is an affine map from 4,096 numbers to 16,384:
    `least-squares-upscaler` solves for one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, WIDTH, 1),
            nn.Conv2d(WIDTH, WIDTH, 3),
            nn.Conv2d(WIDTH, WIDTH, 4),
            nn.Dropout(DROPOUT),
            nn.ConvTranspose2d(WIDTH, WIDTH, 5),
            nn.ConvTranspose2d(WIDTH, WIDTH, 5),
            nn.ConvTranspose2d(WIDTH, 1, 6),
            nn.Flatten(),
            nn.Linear(72 * 72, 4 * SIDE * SIDE),
        )

    def forward(self, shown: Tensor, mask: Tensor) -> Tensor:
        """Enlarge pictures `(N, 1, h, w)` in 0..1 to `(N, 1, 2h, 2w)`; the mask is all 1."""
        count, _, height, width = shown.shape
        given = F.pad(shown, (0, -width % SIDE, 0, -height % SIDE), mode="replicate")
        rows, columns = given.shape[2] // SIDE, given.shape[3] // SIDE
        squares = given.reshape(count, rows, SIDE, columns, SIDE).transpose(2, 3)
        said: Tensor = self.layers(squares.reshape(-1, 1, SIDE, SIDE) - CENTRE).float() + CENTRE
        large = said.reshape(count, rows, columns, 2 * SIDE, 2 * SIDE).transpose(2, 3)
        picture = large.reshape(count, 1, 2 * SIDE * rows, 2 * SIDE * columns)
        return picture[:, :, : 2 * height, : 2 * width]
