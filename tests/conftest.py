"""What several test files share."""

import os

import hypothesis
import numpy as np
import pytest
from PIL import Image
from skimage import data

from inpaintbench.datasets.cases import Observation

hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.load_profile("default")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # several tests run side by side


@pytest.fixture
def photographs(tmp_path):
    """A folder with real photographs of every kind that is read."""
    folder = tmp_path / "photographs"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(data.astronaut()).save(folder / "colour.jpg", quality=95)
    Image.fromarray(data.camera()).save(folder / "grey.png")
    Image.fromarray(data.coffee()).save(folder / "sub" / "colour.tif")
    deep = data.moon().astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "sub" / "deep.PNG")
    return folder


def observe(picture, box):
    """Hide a box of a picture."""
    mask = np.zeros(picture.shape[:2], bool)
    mask[box] = True
    image = picture.copy()
    image[mask] = 0
    return Observation(image, mask)


@pytest.fixture
def observation():
    """A challenge-style crop of a real photograph, with the truth as `truth` beside it."""
    truth = data.camera()[100:170, 200:293]
    return observe(truth, (slice(30, 41), slice(40, 57)))
