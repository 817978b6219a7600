"""What a network expects of its errors is corrected to what they are."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from skimage import data
from torch.utils.data import DataLoader

from inpaintbench.methods.networks.calibration import BOUNDS, Errors, best_correction, calibrate
from inpaintbench.methods.networks.crops import Crops
from inpaintbench.methods.networks.residual_unet import ResidualUNet


def drawn_errors(shift, stretch, highest, count=4000):
    """Errors that are exponential around known expectations, of which the doubts show less."""
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 5, count)
    doubts = rng.normal(6, 0.5, count).repeat(counts) + rng.normal(0, 0.1, counts.sum())
    errors = Errors(doubts, counts, np.ones(count))
    errors.squared = errors.expected(shift, stretch, highest) * rng.exponential(1, count)
    return errors


@pytest.mark.parametrize("truth", [(-6.0, 2.0, 6.5), (-12.0, 3.0, 7.5)])
def test_the_correction_that_errors_were_drawn_with_is_found_again(truth):
    errors = drawn_errors(*truth)
    found = errors.expected(*best_correction(errors))
    assert found == pytest.approx(errors.expected(*truth), rel=0.15)


def test_two_pictures_do_not_run_away_with_the_correction():
    """Any stretch, the larger the better, explains that one was hard and one was easy."""
    errors = Errors(np.array([5.9, 6.1]), np.array([1, 1]), np.array([1.0, 2000.0]))
    for number, (least, most) in zip(best_correction(errors), BOUNDS, strict=True):
        assert least <= number <= most


def test_expected_by_definition():
    errors = Errors(np.array([1.0, 2.0, 3.0]), np.array([2, 1]), np.zeros(2))
    expected = [(np.exp(1) + np.exp(3)) / 2, np.exp(4)]
    assert errors.expected(-1.0, 2.0, 4.0) == pytest.approx(expected)


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = ResidualUNet((8, 16), (1, 1))
    torch.nn.init.normal_(network.doubt.weight, std=0.05)
    return network


@pytest.fixture
def loader():
    pictures = [data.camera()[k : k + 90, k : k + 90] for k in range(0, 300, 5)]
    return DataLoader(Crops(pictures, 0, one_each=True), 16)


@torch.inference_mode()
def test_a_calibrated_network_restores_the_same_and_expects_what_comes(network, loader):
    shown, _, mask = next(iter(loader))
    before = network(shown, mask)
    calibrate(network, loader)
    after = network(shown, mask)
    assert torch.equal(before[:, :1], after[:, :1])
    squared, expected = [], []
    for shown, truth, mask in loader:
        output = network(shown, mask)
        for e, t, hidden in zip(output, truth, mask > 0, strict=True):
            squared.append(float(((e[:1] - t) * 255)[hidden].square().mean()))
            expected.append(float(e[1:][hidden].exp().mean()))
    # What is likely for exponential errors has a mean ratio of 1.
    assert np.mean(np.divide(squared, expected)) == pytest.approx(1, abs=0.1)


def test_a_calibration_is_not_cut_off_by_the_one_before(network, loader):
    cut_off = deepcopy(network)
    cut_off.highest_doubt.fill_(1.0)  # below all
    for each in (network, cut_off):
        calibrate(each, loader)
    for name, value in network.state_dict().items():
        assert torch.equal(value, cut_off.state_dict()[name]), name
