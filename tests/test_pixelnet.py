"""PixelNet's losses, answers, optimisers and recipe, against formulas and torchmetrics."""

import numpy as np
import pandas as pd
import pytest
import torch
from skimage import data
from torchmetrics.functional import (
    mean_absolute_error,
    mean_squared_error,
    mean_squared_log_error,
)

from inpaintbench.benchmarks import pixelnet_recipe as recipe
from inpaintbench.datasets import InputError
from inpaintbench.datasets.cases import Observation
from inpaintbench.datasets.tasks import center_pixel
from inpaintbench.methods import parse_method
from inpaintbench.methods.networks.examples import SlidingPatches, TaskCases
from inpaintbench.methods.networks.pixelnet_net import PixelNetClasses, PixelNetNet
from inpaintbench.methods.networks.restorer import Restorer

LOSSES = {
    "mse": mean_squared_error,
    "msle": mean_squared_log_error,
    "mae": mean_absolute_error,
}


class Bias(Restorer):
    """A network that knows one number."""

    def __init__(self):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, shown, mask):
        return self.value.expand(len(shown), 1, 1, 1)

    def loss(self, output, truth, mask):
        return (output - truth[..., 3:4, 3:4]).square().mean()


def windows(count, seed=0):
    return np.random.default_rng(seed).integers(487, 2737, (count, 31, 31)).astype(np.uint16)


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_of_counts_scaled_from_0_to_1(loss):
    restored, true = np.random.default_rng(0).integers(487, 2737, (2, 50)) / 65535
    tensors = [torch.tensor(a[:, None, None, None], dtype=torch.float32) for a in (restored, true)]
    found = parse_method(f"pixelnet:loss={loss}").build().loss(*tensors, tensors[0])
    scaled = [torch.tensor((a * 65535 - 487) / 2249) for a in (restored, true)]
    assert found.item() == pytest.approx(LOSSES[loss](*scaled).item(), rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_network_below_all_values_has_a_slope(loss):
    output = torch.full((4, 1, 1, 1), 100 / 65535, requires_grad=True)
    PixelNetNet(7, "cnn", loss).loss(output, torch.full((4, 1, 7, 7), 0.02), output).backward()
    assert (output.grad < 0).all()


@pytest.mark.parametrize("answer", ["expected", "argmax"])
def test_classes_answer_with_the_expected_value_or_the_likeliest(answer):
    torch.manual_seed(0)
    network = PixelNetClasses(7, answer).eval().requires_grad_(False)
    network.layers[-1].weight.mul_(50)  # or all would be about equally likely
    counts = windows(20)[:, None, :7, :7].astype(np.float32)
    scaled = (counts - 487) / 2249
    scaled[..., 3, 3] = 0
    logits = network.layers(torch.from_numpy(scaled)).double().numpy()
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = {"expected": shares @ np.arange(3000), "argmax": np.argmax(logits, axis=1)}
    found = network(torch.from_numpy(counts / 65535), None).flatten() * 65535
    np.testing.assert_allclose(found, expected[answer], rtol=1e-3)


def test_choices_that_do_nothing_are_refused():
    with pytest.raises(InputError, match="loss must be one of mse, msle, mae, not 'huber'"):
        parse_method("pixelnet:loss=huber")
    with pytest.raises(InputError, match="no loss to choose with kind=classes"):
        parse_method("pixelnet:kind=classes:loss=mae")
    with pytest.raises(InputError, match="no answer to choose with kind=fc"):
        parse_method("pixelnet:kind=fc:answer=argmax")
    assert parse_method("pixelnet:kind=fc:loss=mae").weights_name == "pixelnet-fc-7-mae"


def test_layers_start_as_glorot_and_bengio_say():
    torch.manual_seed(0)
    for layer in PixelNetNet(7, "cnn").layers:
        if hasattr(layer, "weight"):
            outputs, *inputs = layer.weight.shape
            area = int(np.prod(inputs[1:]))
            bound = (6 / (inputs[0] * area + outputs * area)) ** 0.5
            assert bound * 0.8 < layer.weight.abs().max() <= bound
            assert not layer.bias.any()


def test_training_takes_patches_from_everywhere_in_the_tasks_own_windows():
    def sets():
        return (
            SlidingPatches(center_pixel, [data.camera()], 3, 7),
            TaskCases(center_pixel, [data.camera()], 3),
        )

    patches, cases = sets()
    own = {}  # by its patches, the number of a window
    for number in range(128):
        window = cases[number][1][0].numpy()
        for top in range(25):
            for left in range(25):
                own[window[top : top + 7, left : left + 7].tobytes()] = (number, top, left)
    numbers = np.random.default_rng(0).permutation(1024).tolist()
    found = {number: patches[number] for number in numbers}
    places = [own[found[number][1].numpy().tobytes()] for number in range(1024)]
    shown_from, *corners = np.array(places).T
    assert (np.bincount(shown_from) == 8).all()
    assert len(set(shown_from[:64])) == 64
    for corner in corners:
        assert set(corner) == set(range(25))
    shown, truth, mask = found[0]
    assert mask.sum() == mask[0, 3, 3] == 1
    assert torch.equal(shown, truth * (mask == 0))
    assert torch.equal(sets()[0][700][1], found[700][1])


@pytest.mark.parametrize("side", [5, 11])
def test_patches_are_cut_at_every_place(side):
    drawn = windows(3)
    cut = [
        window[top : top + side, left : left + side]
        for window in drawn
        for top in range(32 - side)
        for left in range(32 - side)
    ]
    assert np.array_equal(recipe.slide(drawn, side), cut)


def test_optimisers_are_as_published():
    """A first update of SGD is the slope times the rate, of Adam and Adagrad its sign."""
    patches = recipe.slide(windows(1), 7)[:64]
    slope = 2 * np.mean(0.5 - patches[:, 3, 3] / 65535)
    for name, step in (("sgd", 0.1 * slope), ("adam", 0.1), ("adagrad", 0.1)):
        network = Bias()
        recipe.train(network, patches, np.arange(64), recipe.Recipe(1, name, 0.1))
        assert 0.5 - network.value.item() == pytest.approx(step, rel=1e-4)


def test_scores_are_in_counts_and_clustered_by_window():
    rng = np.random.default_rng(0)
    actual = rng.integers(487, 2737, 60).astype(float)
    restored, owners = actual + rng.normal(5, 20, 60), np.arange(60) % 6
    found = recipe.scores(restored, actual, owners)
    squared = (actual - restored) ** 2
    means = [squared[k::6].mean() for k in range(6)]
    assert found["mse"] == pytest.approx(np.mean((actual - restored) ** 2))
    assert found["se"] == pytest.approx(np.sqrt(np.var(means, ddof=1) / 6))
    assert found["mae"] == pytest.approx(np.mean(np.abs(actual - restored)))
    # As scikit-learn has it: the residual over the total sum of squares.
    total = np.sum((actual - np.average(actual)) ** 2)
    assert found["r2"] == pytest.approx(1 - squared.sum() / total)


def test_both_splits_are_scored_on_what_they_hold_out():
    """The mean of the 8 neighbours is right on a ramp, and 100 counts off on a chessboard."""
    rows, columns = np.indices((31, 31))
    ramp, board = (
        a.astype(np.uint16) for a in (10 * rows + 500, 1000 + 200 * ((rows + columns) % 2))
    )
    windows = np.stack([ramp] * 4), np.stack([board] * 4)
    scored = recipe.compare("ring-mean", *windows, recipe.Recipe())
    assert [(row["split by"], row["mse"], row["patches"]) for row in scored] == [
        ("patch", 0, 4 * 625 // 10),
        ("image", 10_000, 4 * 625 // 10),
    ]


def test_the_recipe_learns(tmp_path, capsys):
    out = tmp_path / "table.csv"
    recipe.main(["skimage"], "ring-mean,pixelnet:kind=fc", windows=20, epochs=1, out=out)
    table = pd.read_csv(out).set_index(["method", "split by"])
    assert set(table.index.get_level_values(1)) == {"patch", "image"}
    assert (table.loc["pixelnet:kind=fc", "r2"] > 0.5).all()
    assert "| pixelnet:kind=fc | image | 1250 |" in capsys.readouterr().out
    assert not table.index.get_level_values(0).str.endswith("as shipped").any()


def test_shipped_weights_are_scored_beside_the_recipes():
    """On the same patches: the shipped network by itself is what its row must have."""
    drawn, others = windows(4), windows(4, seed=1)
    shipped = [
        row
        for row in recipe.compare("pixelnet", drawn, others, recipe.Recipe(epochs=1))
        if row["method"] == "pixelnet as shipped"
    ]
    network = parse_method("pixelnet")
    patches = recipe.slide(others, 7)
    chosen = np.random.default_rng(0).permutation(len(patches))[: len(patches) // 10]
    errors = []
    for patch in patches[chosen]:
        mask = np.zeros((7, 7), bool)
        mask[3, 3] = True
        ((restored,),) = network.predict_batch([Observation(np.where(mask, 0, patch), mask)])
        errors.append((float(restored) - float(patch[3, 3])) ** 2)
    assert [row["split by"] for row in shipped] == ["patch", "image"]
    assert shipped[1]["mse"] == pytest.approx(np.mean(errors), rel=1e-3)  # rounded, in bfloat16
