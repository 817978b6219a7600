"""The U-Net report's own scores of scratched pictures."""

import numpy as np
import pytest
import torch
from skimage import data

from inpaintbench.benchmarks.published_scratches import main, scores, whole_output
from inpaintbench.datasets.images import Skipped
from inpaintbench.datasets.tasks import scratches
from inpaintbench.methods import parse_method
from inpaintbench.methods.networks.weights import save_weights
from inpaintbench.methods.photographs import read_split


def test_errors_are_told_apart_by_where_they_are():
    truth = np.full((2, 32, 32, 3), 100, np.uint8)
    mask = np.zeros((2, 32, 32), bool)
    mask[0, :16] = mask[1, :4] = True  # a half and an eighth
    pictures = np.where(mask[..., None], 151.0, 74.5)  # off by 0.2 and 0.1
    p, t = pictures[0] / 255, truth[0] / 255
    dice = [(2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1)]
    p = pictures[1] / 255
    dice.append((2 * (t * p).sum() + 1) / (t.sum() + p.sum() + 1))
    whole = np.mean([0.2 / 2 + 0.1 / 2, 0.2 / 8 + 0.1 * 7 / 8])
    expected = (f"{whole:.4f}", "0.1000", "0.2000", f"{np.mean(dice):.3f}", f"{51**2} +- 0")
    assert scores("name", pictures, truth, mask) == ("name", *expected)


def test_a_blind_network_is_scored_on_all_that_it_gives(tmp_path):
    torch.manual_seed(0)
    method = parse_method("scratches-published:kind=blind-unet-2")
    network = method.build().eval()
    torch.nn.init.normal_(network.network.head.weight)
    path = tmp_path / "w.safetensors"
    save_weights(network.half().float(), path, {})
    method.weights = str(path)
    shown = data.astronaut()[None, 100:132, 200:232]
    output = whole_output(method, shown, np.zeros((1, 32, 32), bool))
    given = torch.tensor(shown / 255.0).float().permute(0, 3, 1, 2)
    expected = network(given, torch.zeros(1, 1, 32, 32))
    np.testing.assert_allclose(output[0, ..., 1], expected[0, 1].detach() * 255, atol=1e-3)


def test_what_is_given_its_mask_has_no_error_at_known_pixels(capsys):
    main("skimage", ["telea"])
    cells = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    rows = {row[0]: row[1:] for row in cells}
    assert rows["published, depth 5"][:4] == ["0.0144", "", "", "0.605"]
    assert rows["the true picture"][:3] == ["0.0000"] * 3
    whole, known, hidden = (float(cell) for cell in rows["telea"][:3])
    assert known == 0
    held_out = read_split(["skimage"], Skipped(), scratches)[1]
    darkness = []  # of hidden pixels that are left at 0
    for number, pixels in enumerate(held_out):
        truth, mask = scratches.draw(pixels, np.random.default_rng((2026, number)))
        darkness.append(truth[mask].mean() / 255)
    assert float(rows["the scratched picture"][2]) == pytest.approx(np.mean(darkness), abs=1e-4)
    assert 0 < whole < hidden < np.mean(darkness)
