"""Windows, weights and the network methods; no training here."""

import copy

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from conftest import observe
from hypothesis import given
from skimage import data

from inpaintbench.datasets import InputError
from inpaintbench.methods import method_classes, parse_method
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.networks import windows
from inpaintbench.methods.networks.context_encoder_net import ContextEncoderNet, reverse_gradient
from inpaintbench.methods.networks.course_net import CourseNet
from inpaintbench.methods.networks.denoising_autoencoder_net import DenoisingAutoencoderNet
from inpaintbench.methods.networks.partial_conv_net import PartialConvolution
from inpaintbench.methods.networks.residual_unet import SelfAttention, small
from inpaintbench.methods.networks.restorer import LOSS_UNIT, hidden_mse
from inpaintbench.methods.networks.training import averaging
from inpaintbench.methods.networks.weights import load_weights, save_weights
from inpaintbench.methods.networks.window_method import WindowMethod
from inpaintbench.methods.weights import SHIPPED, read_card

VARIANTS = ["cnn:size=small", "unet:depth=2", "unet:depth=5"]
NETWORKS = [
    *(name for name, kind in method_classes().items() if issubclass(kind, WindowMethod)),
    *VARIANTS,
]
FILL_BLIND = [name for name in NETWORKS if not name.startswith("cnn")]
LENGTH = st.integers(10, 150)


def untrained(name):
    """A network as it starts, but with no weight at exactly 0, which would hide what it does."""
    torch.manual_seed(0)
    network = parse_method(name).build().eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.05)
    return network


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    """Give each network, started once for all tests that look at it."""
    return untrained(request.param)


def some_windows(count=1):
    """Random windows and masks with a hole each, every one at another place."""
    torch.manual_seed(1)
    filled, mask = torch.rand(count, 1, 64, 64) / 2, torch.zeros(count, 1, 64, 64)
    for number in range(count):
        mask[number, :, 25 - 5 * number : 36, 30 : 41 + 5 * number] = 1
    return filled, mask


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
    assert torch.equal(small()(*tensors)[:, :1], tensors[0])


def test_the_course_net_is_the_published_one():
    shapes = [tuple(p.shape) for p in CourseNet().parameters() if p.dim() == 4]
    assert shapes == [(32, 2, 7, 7), (32, 32, 7, 7), (1, 32, 7, 7)]


def count_parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_batchnorm_cnn_has_the_published_number_of_parameters():
    assert count_parameters(parse_method("batchnorm-cnn").build()) == 104_481


def test_the_unet_has_the_published_widths():
    for depth, widths in ((2, [32, 64, 128]), (3, [32, 64, 128, 256])):
        shapes = [p.shape for p in parse_method(f"unet:depth={depth}").build().encoder.parameters()]
        kernels = [tuple(shape) for shape in shapes if len(shape) == 4]
        expected = []
        for before, width in zip([2, *widths], widths, strict=False):
            expected += [(width, before, 3, 3), (width, width, 3, 3)]
        assert kernels == expected
    with pytest.raises(InputError, match="method unet: depth must be one of 2, 3, 5, not 4"):
        parse_method("unet:depth=4")
    assert parse_method("unet:depth=5").weights_name == "unet-5"


def test_windows_come_out_in_shape_and_alone_as_in_a_batch(network):
    filled, mask = some_windows(3)
    output = network(filled, mask)
    assert output.shape in {(3, 1, 64, 64), (3, 2, 64, 64)}
    assert output.dtype == torch.float32
    assert output.isfinite().all()
    for number in range(3):
        part = slice(number, number + 1)
        alone = network(filled[part], mask[part])
        torch.testing.assert_close(alone, output[part], atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("name", FILL_BLIND)
def test_networks_that_were_published_without_a_fill_do_not_see_it(name):
    network = untrained(name)
    filled, mask = some_windows()
    other = torch.where(mask > 0, torch.rand_like(filled), filled)
    assert torch.equal(network(filled, mask), network(other, mask))


def test_every_network_sees_what_stands_beside_the_hole(network):
    filled, mask = some_windows()
    other = filled.clone()
    other[..., 24, 30:41] += 0.2
    other[..., 10, 30:41] -= 0.2  # the mean stays
    difference = (network(other, mask) - network(filled, mask))[:, :1]
    assert difference[mask > 0].abs().max() > 1e-5


def test_brightness_of_the_picture_goes_straight_through(network):
    filled, mask = some_windows()
    output, shifted = network(filled, mask), network(filled + 0.25, mask)
    torch.testing.assert_close(shifted[:, :1] - 0.25, output[:, :1], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(shifted[:, 1:], output[:, 1:], atol=1e-4, rtol=1e-4)


def test_every_weight_of_a_network_is_learned(network):
    network = copy.deepcopy(network).train()
    filled, mask = some_windows(4)
    truth = torch.where(mask > 0, torch.rand_like(filled), filled)
    network.loss(network(filled, mask), truth, mask).backward()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert parameter.grad.any(), label


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_come_back_as_they_were_saved(name, tmp_path):
    network = untrained(name)
    for value in network.buffers():
        if not value.is_floating_point():
            value.fill_(70_001)  # more than float16 holds
    save_weights(network, tmp_path / "w.safetensors", {"made": "today"})
    fresh = parse_method(name).build()
    load_weights(fresh, tmp_path / "w.safetensors")
    for label, value in network.state_dict().items():
        exact = value.half().float() if value.is_floating_point() else value
        assert torch.equal(fresh.state_dict()[label], exact), label
    assert read_card(tmp_path / "w.safetensors")["made"] == "today"


def test_averages_leave_counts_alone():
    step = averaging(0.9)
    count, ten = torch.tensor(1000), torch.tensor(10)
    assert torch.equal(step(torch.tensor(3), ten, count), ten)
    assert step(torch.tensor(3.0), torch.tensor(10.0), count) == pytest.approx(3.7)


def test_an_average_forgets_the_start_faster_than_its_decay_says():
    """While it is young, its memory is as long as it is old: TensorFlow's rule, written out."""
    step, average, values = averaging(0.9), torch.tensor(0.0), [0.0]
    for count in range(200):
        value = torch.tensor(float(np.cos(count)))
        average = step(average, value, torch.tensor(count))
        decay = min(0.9, (1 + count) / (10 + count))
        values.append(decay * values[-1] + (1 - decay) * float(np.cos(count)))
        assert float(average) == pytest.approx(values[-1], abs=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
def test_partial_convolution_counts_known_values_alone(kernel, stride):
    """Against the published formula, pixel by pixel, each channel with its own mask."""
    rng = np.random.default_rng(kernel + stride)
    layer = PartialConvolution(3, 2, kernel, stride).double()
    torch.nn.init.normal_(layer.bias)
    weight, bias = (p.detach().numpy() for p in (layer.convolution.weight, layer.bias))
    known = np.zeros((3, 10, 12))
    known[:, :, :4] = 1
    known[2, 7:, :] = 1  # a skip's mask, which knows more than the other channels'
    x = rng.normal(size=known.shape) * known
    margin = kernel // 2
    around = [(0, 0), (margin, margin), (margin, margin)]
    padded, padded_known = np.pad(x, around), np.pad(known, around)
    share = torch.tensor(known.mean(0))[None, None]
    values, updated = layer(torch.tensor(x)[None], share)
    assert updated.shape[2:] == values.shape[2:] == (-(-10 // stride), -(-12 // stride))
    assert 0 < updated.mean() < 1
    for row in range(values.shape[2]):
        for column in range(values.shape[3]):
            rows = slice(row * stride, row * stride + kernel)
            columns = slice(column * stride, column * stride + kernel)
            ones = padded_known[:, rows, columns]
            expected = np.zeros(2)
            if ones.any():
                products = weight * (padded[:, rows, columns] * ones)
                expected = products.sum((1, 2, 3)) * ones.size / ones.sum() + bias
            actual = values[0, :, row, column].detach().numpy()
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)
            assert updated[0, 0, row, column] == ones.any()


def test_attention_by_definition():
    """Against `torch.nn.MultiheadAttention`, which has the same weights in another arrangement."""
    torch.manual_seed(0)
    attention = SelfAttention(8, heads=2).double()
    x = torch.randn(2, 8, 3, 5, dtype=torch.float64)
    assert torch.equal(attention(x), x)  # as it starts
    torch.nn.init.normal_(attention.add.weight)
    torch.nn.init.normal_(attention.norm.weight)
    reference = torch.nn.MultiheadAttention(8, 2, batch_first=True, dtype=torch.float64)
    weights = dict(zip(["in_proj_weight", "in_proj_bias"], attention.ask.parameters(), strict=True))
    weights |= {f"out_proj.{name}": value for name, value in attention.add.named_parameters()}
    reference.load_state_dict(weights)
    places = attention.norm(x.flatten(2).transpose(1, 2))
    taken, _ = reference(places, places, places)
    torch.testing.assert_close(attention(x) - x, taken.transpose(1, 2).unflatten(2, (3, 5)))


def test_the_patch_of_the_denoising_autoencoder_covers_the_hole_wherever_it_is():
    network = DenoisingAutoencoderNet().eval()
    torch.nn.init.zeros_(network.layers[-1].weight)
    torch.nn.init.ones_(network.layers[-1].bias)
    for rows, columns in (((0, 21), (43, 64)), ((20, 25), (30, 51)), ((63, 64), (0, 1))):
        filled, mask = torch.full((1, 1, 64, 64), 0.5), torch.zeros(1, 1, 64, 64)
        mask[..., slice(*rows), slice(*columns)] = 1
        assert (network(filled, mask) - 0.5)[mask > 0].min() > 0.1


def test_reversal_turns_the_gradient_round_and_nothing_else():
    x = torch.randn(5, requires_grad=True)
    y = reverse_gradient(x)
    assert torch.equal(x, y)
    (y**3).sum().backward()
    torch.testing.assert_close(x.grad, -3 * x.detach() ** 2)


def test_the_context_encoder_and_its_discriminator_work_against_each_other():
    torch.manual_seed(0)
    network = ContextEncoderNet()
    truth, mask = some_windows(4)
    output = torch.rand_like(truth).requires_grad_()

    def adversarial():
        squared = hidden_mse(output, truth, mask).mean() / LOSS_UNIT
        return network.loss(output, truth, mask) - 0.999 * squared

    before = adversarial()
    before.backward()
    judge = torch.optim.SGD(network.discriminator.parameters(), 0.1)
    restorer = torch.optim.SGD([output], 10)
    kept = copy.deepcopy(network.discriminator.state_dict())
    with torch.no_grad():
        judge.step()
        assert adversarial() < before  # downhill for the discriminator
        network.discriminator.load_state_dict(kept)
        restorer.step()
        assert adversarial() > before  # and uphill by the same pass for what it judges
    assert not output.grad[mask == 0].any()


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
        load_weights(small(), tmp_path / "w.safetensors")


def test_missing_weights_and_cards_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_weights(CourseNet(), tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").touch()
    with pytest.raises(InputError, match="cannot read the model card"):
        load_weights(CourseNet(), tmp_path / "w.safetensors")
    (tmp_path / "w.toml").write_text("made = 1")
    with pytest.raises(InputError, match="no model card"):
        load_weights(CourseNet(), tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", NETWORKS)
def test_shipped_weights_have_a_complete_card(name):
    method = parse_method(name)
    card = read_card(method.weights_path)
    needed = {"photographs", "minutes", "validation_mse", "sha256", "bytes", "made", "crops_seen"}
    assert needed <= set(card)
    load_weights(method.build(), method.weights_path)
    assert card["method"] == method.weights_name
    assert method.weights_path.stat().st_size <= 20_000_000


def test_shipped_weights_keep_to_their_sizes():
    sizes = {path.stem: path.stat().st_size for path in SHIPPED.glob("*.safetensors")}
    assert sizes["cnn"] <= 20_000_000
    assert sizes["cnn-small"] <= 2_000_000
    tasks = {
        path.stem: read_card(path).get("task", "crop")
        for path in SHIPPED.glob("*.safetensors")
        if path.with_suffix(".toml").exists()
    }
    sisters = sum(sizes[name] for name, task in tasks.items() if task != "crop")
    assert sisters <= 20_000_000
    assert sum(sizes.values()) - sisters <= 60_000_000


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, np.transpose, np.rot90])
def test_averaging_makes_the_network_blind_to_symmetries(turn):
    # An even hole, since an odd one cannot lie in the middle of a window of 64.
    square = observe(data.camera()[100:190, 200:290], (slice(30, 42), slice(40, 56)))
    turned = observe(turn(data.camera()[100:190, 200:290]), turn(square.mask))
    cnn = parse_method("cnn")
    np.testing.assert_allclose(cnn.restore(turned), turn(cnn.restore(square)), atol=0.01)


def test_the_network_beats_harmonic_on_photographs_it_never_saw():
    from inpaintbench.datasets.images import Skipped
    from inpaintbench.datasets.tasks import crop
    from inpaintbench.datasets.tasks.drawing import draw_cases

    cases = draw_cases(crop, "skimage", 51, 99, Skipped())
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
    np.testing.assert_allclose(hidden_mse(*tensors).numpy(), expected)


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
