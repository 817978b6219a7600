"""Windows, weights and the network methods; no training here."""

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from conftest import observe
from hypothesis import given
from skimage import data

from inpaintbench.datasets import InputError
from inpaintbench.methods import find_method, parse_method
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.networks import windows
from inpaintbench.methods.networks.course_net import CourseNet
from inpaintbench.methods.networks.residual_unet import ResidualUNet
from inpaintbench.methods.networks.training import challenge_loss
from inpaintbench.methods.networks.weights import load_weights, save_weights
from inpaintbench.methods.weights import SHIPPED, read_card

NETWORKS = ["cnn", "course-cnn"]
LENGTH = st.integers(10, 150)


@given(st.data(), LENGTH, LENGTH)
def test_a_window_shows_the_hole_and_pasting_undoes_cutting(data, height, width):
    sides = [data.draw(st.integers(1, min(48, n - 1))) for n in (height, width)]
    starts = [data.draw(st.integers(0, n - s)) for n, s in zip((height, width), sides, strict=True)]
    hole = tuple(slice(a, a + s) for a, s in zip(starts, sides, strict=True))
    image = np.arange(height * width, dtype=float).reshape(height, width)
    mask = np.zeros(image.shape, bool)
    mask[hole] = True
    window = windows.cut(image, mask, hole)
    assert window.pixels.shape == window.mask.shape == (64, 64)
    assert np.array_equal(window.pixels[window.inner], image[hole])
    assert window.mask[window.inner].all()
    target = np.zeros_like(image)
    windows.paste(target, mask, window, window.pixels)
    assert np.array_equal(target, np.where(mask, image, 0))


def test_a_window_of_the_challenge_shows_21_known_pixels_around_the_largest_hole():
    observation = observe(data.camera()[:70, :93], (slice(20, 41), slice(36, 57)))
    (hole,) = windows.holes(observation.mask)
    inner = windows.cut(observation.image, observation.mask, hole).inner
    assert inner[1].start >= 21
    assert 64 - inner[1].stop >= 21


def test_the_untrained_unet_is_its_harmonic_fill(observation):
    filled = harmonic_fill(observation.image / 255, observation.mask)[:64, :64]
    tensors = [
        torch.tensor(a[None, None], dtype=torch.float32)
        for a in (filled, observation.mask[:64, :64])
    ]
    assert torch.equal(ResidualUNet()(*tensors), tensors[0])


def test_the_course_net_is_the_published_one():
    shapes = [tuple(p.shape) for p in CourseNet().parameters() if p.dim() == 4]
    assert shapes == [(32, 2, 7, 7), (32, 32, 7, 7), (1, 32, 7, 7)]


@pytest.mark.parametrize("network", [ResidualUNet(), CourseNet()], ids=["unet", "course"])
def test_brightness_of_the_picture_goes_straight_through(network):
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    filled, mask = torch.rand(1, 1, 64, 64) / 2, torch.zeros(1, 1, 64, 64)
    mask[..., 25:36, 30:41] = 1
    shifted = network(filled + 0.25, mask) - 0.25
    torch.testing.assert_close(shifted, network(filled, mask), atol=1e-4, rtol=0)


@pytest.mark.parametrize("network", [ResidualUNet(), CourseNet()], ids=["unet", "course"])
def test_weights_come_back_as_they_were_saved(network, tmp_path):
    save_weights(network, tmp_path / "w.safetensors", {"made": "today"})
    fresh = type(network)()
    load_weights(fresh, tmp_path / "w.safetensors")
    for name, value in network.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value.half().float())
    assert read_card(tmp_path / "w.safetensors")["made"] == "today"


def test_changed_weights_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(CourseNet(), path, {})
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="wrong hash"):
        load_weights(CourseNet(), path)


def test_weights_of_another_network_are_refused(tmp_path):
    save_weights(CourseNet(), tmp_path / "w.safetensors", {})
    with pytest.raises(InputError, match="does not hold the weights of this network"):
        load_weights(ResidualUNet(), tmp_path / "w.safetensors")


def test_missing_weights_and_cards_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="cannot read the model card"):
        load_weights(CourseNet(), tmp_path / "w.safetensors")
    (tmp_path / "w.toml").write_text("made = 1")
    with pytest.raises(InputError, match="no model card"):
        load_weights(CourseNet(), tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", NETWORKS)
def test_shipped_weights_have_a_complete_card(name):
    card = read_card(SHIPPED / f"{name}.safetensors")
    needed = {"photographs", "minutes", "validation_mse", "sha256", "bytes", "made", "crops_seen"}
    assert needed <= set(card)
    load_weights(find_method(name).build(), SHIPPED / f"{name}.safetensors")


def test_cnn_is_at_most_12_mb():
    assert (SHIPPED / "cnn.safetensors").stat().st_size <= 12_000_000


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.transpose, np.rot90])
def test_averaging_makes_the_network_blind_to_symmetries(turn):
    # An even hole, since an odd one cannot lie in the middle of a window of 64.
    square = observe(data.camera()[100:190, 200:290], (slice(30, 42), slice(40, 56)))
    turned = observe(turn(data.camera()[100:190, 200:290]), turn(square.mask))
    cnn = parse_method("cnn")
    np.testing.assert_allclose(cnn.restore(turned), turn(cnn.restore(square)), atol=0.01)


def test_the_network_beats_harmonic_on_photographs_it_never_saw():
    from inpaintbench.datasets.images import Skipped
    from inpaintbench.datasets.tasks.crop import draw_cases

    cases = draw_cases("skimage", 51, 99, Skipped())
    scores = {}
    for name in ("cnn", "harmonic"):
        restored = parse_method(name).restore_batch([case.observation for case in cases])
        errors = [
            np.square(r - c.truth)[c.mask].mean() for r, c in zip(restored, cases, strict=True)
        ]
        scores[name] = np.mean(errors)
    assert scores["cnn"] < 0.9 * scores["harmonic"]


def test_a_hole_too_large_for_a_window_keeps_its_harmonic_fill():
    observation = observe(data.camera()[:200, :200], (slice(50, 150), slice(60, 160)))
    expected = harmonic_fill(observation.image, observation.mask)
    np.testing.assert_allclose(parse_method("cnn").restore(observation), expected, atol=1e-6)


def test_the_loss_is_the_challenge_mse():
    rng = np.random.default_rng(0)
    truth, restored = rng.integers(0, 256, (2, 3, 64, 64))
    mask = np.zeros((3, 64, 64), bool)
    mask[0, 20:25, 20:25] = mask[1, 20:41, 20:41] = mask[2, 30:37, 25:46] = True
    expected = [np.mean((restored[k] - truth[k])[mask[k]] ** 2.0) for k in range(3)]
    tensors = (
        torch.tensor(a[:, None], dtype=torch.float64) for a in (restored / 255, truth / 255, mask)
    )
    np.testing.assert_allclose(challenge_loss(*tensors).numpy(), expected)


def test_what_a_network_expects_is_of_hidden_pixels_and_unknown_where_it_has_no_window(
    observation,
):
    too_large = observe(data.camera()[:100, :110], (slice(20, 80), slice(20, 90)))
    colour = observe(data.astronaut()[:70, 100:193], (slice(30, 41), slice(40, 57)))
    cnn, course = (parse_method(f"{name}:symmetries=no") for name in ("cnn", "course-cnn"))
    errors = cnn.expected_errors([observation, too_large, colour])
    for error, seen in zip(errors, (observation, too_large, colour), strict=True):
        assert error.shape == seen.image[seen.mask].shape
    assert (errors[0] > 0).all()
    assert np.isnan(errors[1]).all()
    (alone,) = cnn.expected_errors([colour])
    np.testing.assert_allclose(errors[2], alone, rtol=1e-3)
    assert course.expected_errors([observation, colour]) is None
