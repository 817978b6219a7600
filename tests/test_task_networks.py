"""Networks for whole pictures and for patches, and their training on the cases of any task."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import observe
from PIL import Image
from skimage import data
from torch.utils.data import DataLoader

from inpaintbench.datasets import InputError
from inpaintbench.datasets.cases import Observation
from inpaintbench.datasets.images import Skipped
from inpaintbench.datasets.tasks import border, center_pixel, grid, scratches
from inpaintbench.methods import method_classes, parse_method, scratches_published
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.networks import network_method
from inpaintbench.methods.networks.centre_net import CentreNet, centre
from inpaintbench.methods.networks.examples import TaskCases
from inpaintbench.methods.networks.network_method import NetworkMethod
from inpaintbench.methods.networks.picture_method import PictureMethod
from inpaintbench.methods.networks.picture_unet import PictureUNet, smooth_fill
from inpaintbench.methods.networks.pixelnet_net import Same
from inpaintbench.methods.networks.restorer import Restorer, hidden_mse
from inpaintbench.methods.networks.scratches_nets import SQUARES
from inpaintbench.methods.networks.training import Settings, train
from inpaintbench.methods.networks.weights import load_weights, save_weights
from inpaintbench.methods.networks.window_method import WindowMethod
from inpaintbench.methods.photographs import draw_observations, read_split
from inpaintbench.methods.weights import read_card

NETWORKS = [
    name
    for name, kind in method_classes().items()
    if issubclass(kind, NetworkMethod) and not issubclass(kind, WindowMethod)
]
KINDS = [f"scratches-published:kind={kind}" for kind in scratches_published.KINDS]
VARIANTS = [
    "pixelnet:patch=11:kind=fc",
    "pixelnet:patch=5:kind=classes",
    "pixelnet:patch=9",
    *KINDS,
]
PICTURES = [data.astronaut()[:200, 100:300], data.coffee()[50:250, 100:300], data.camera()[:200]]


class Tiny(PictureMethod):
    """A network that trains in a second, in colour or not."""

    name = "tiny"
    kind: str = "scratches"

    @property
    def task(self):
        return {"scratches": scratches, "border": border}[self.kind]

    def build(self):
        return PictureUNet(3 if self.task.COLOUR else 1, (8, 16), (1, 1))


class Doubled(Restorer):
    """An upscaler without weights to speak of, which shows what it was given."""

    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.ones(()))

    def forward(self, shown, mask):
        return self.factor * shown.repeat_interleave(2, 2).repeat_interleave(2, 3)


class Upscaler(PictureMethod):
    """A method that answers in twice the size."""

    name = "upscaler"

    @property
    def task(self):
        return border

    def build(self):
        return Doubled()


def started(method):
    """Start a network, with no weight at exactly 0, which would hide what it does."""
    torch.manual_seed(0)
    network = method.build().eval()
    for parameter in network.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    return network


def untrained(text, folder, kind=parse_method):
    """A method whose weights file holds a started network, and that network."""
    method = kind(text) if text else kind()
    network = started(method)
    path = folder / f"{method.weights_name}.safetensors"
    save_weights(network, path, {})
    method.weights = str(path)
    load_weights(network, path)
    return method, network


def drawn(method, count):
    """Draw a batch of training cases."""
    pictures = [data.astronaut(), data.coffee()] if method.task.COLOUR else [data.camera()]
    cases = method.examples(pictures, 0, one_each=False)
    parts = zip(*(cases[number] for number in range(count)), strict=True)
    return [torch.stack(part) for part in parts]


def scratched(pixels, seed=0):
    mask = scratches.draw_lines(np.random.default_rng(seed))
    mask = np.kron(mask, np.ones((2, 2), bool))[: pixels.shape[0], : pixels.shape[1]]
    image = pixels.copy()
    image[mask] = 0
    return Observation(image, mask)


@pytest.mark.parametrize("task", [scratches, border, grid, center_pixel])
def test_a_validation_case_is_the_tasks_own(task):
    pictures = PICTURES if task.COLOUR else PICTURES[2:]
    for number, pixels in enumerate(pictures):
        truth, mask = task.draw(pixels, np.random.default_rng((5, number)))
        shown, true, hidden = TaskCases(task, pictures, 5, one_each=True)[number]
        highest = np.iinfo(truth.dtype).max
        expected = np.moveaxis(np.atleast_3d(truth), -1, 0) / highest
        np.testing.assert_allclose(true.numpy(), expected, rtol=1e-6)
        np.testing.assert_allclose(shown.numpy(), expected * ~mask, rtol=1e-6)
        assert np.array_equal(hidden.numpy()[0], mask)


def test_a_training_case_depends_on_seed_and_number_alone_in_any_worker():
    cases = TaskCases(scratches, PICTURES, 1)
    alone = [torch.stack([cases[n][k] for n in range(12)]) for k in range(3)]
    for workers in (0, 2):
        loader = DataLoader(cases, 4, sampler=range(12), num_workers=workers)
        together = [torch.cat(parts) for parts in zip(*loader, strict=True)]
        assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))
    assert not torch.equal(cases[0][1], TaskCases(scratches, PICTURES, 2)[0][1])
    assert len({tuple(cases[n][1].flatten().tolist()) for n in range(12)}) == 12


def test_training_turns_photographs_and_not_what_the_task_does():
    ramp = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    cases = TaskCases(border, [ramp], 0)
    directions = set()
    for number in range(60):
        shown, truth, mask = cases[number]
        rows, columns = np.diff(truth[0], axis=0).mean(), np.diff(truth[0], axis=1).mean()
        directions.add((round(float(np.sign(rows))), round(float(np.sign(columns)))))
        known = np.argwhere(mask[0].numpy() == 0)
        assert (np.ptp(known, axis=0) + 1 >= 75).all()
        assert torch.equal(shown, truth * (1 - mask))
    assert directions == {(0, 1), (0, -1), (1, 0), (-1, 0)}


def test_a_corner_is_one_of_the_case():
    whole, corners = (
        TaskCases(border, PICTURES[2:], 3),
        TaskCases(border, PICTURES[2:], 3, corner=40),
    )
    met = set()
    for number in range(30):
        full, part = whole[number], corners[number]
        for rows in (slice(40), slice(-40, None)):
            for columns in (slice(40), slice(-40, None)):
                pairs = zip(full, part, strict=True)
                if all(torch.equal(f[:, rows, columns], p) for f, p in pairs):
                    met.add((rows.start, columns.start))
    assert len(met) == 4
    held_out = TaskCases(border, PICTURES[2:], 3, one_each=True, corner=40)
    assert held_out[0][1].shape == (1, 90, 90)


def halved(pixels, rng):
    truth = pixels[:64, :64].copy()
    given = truth.reshape(32, 2, 32, 2).mean((1, 3)).round().astype(np.uint8)
    return truth, np.ones(truth.shape, bool), given


def test_a_task_may_give_something_else_than_the_truth_with_holes():
    truth, _, given = halved(PICTURES[2], None)
    cases = TaskCases(SimpleNamespace(draw=halved), PICTURES[2:], 0, one_each=True)
    shown, true, mask = cases[0]
    np.testing.assert_allclose(shown[0].numpy() * 255, given, atol=1e-4)
    np.testing.assert_allclose(true[0].numpy() * 255, truth, atol=1e-4)
    assert mask.all()


def test_an_answer_may_have_another_size_than_the_picture(tmp_path):
    method, _ = untrained("", tmp_path, Upscaler)
    given = [halved(pixels, None)[2] for pixels in PICTURES[2:]]
    odd = PICTURES[0][:13, :17]  # in colour
    sizes = [(2 * a.shape[0], 2 * a.shape[1]) for a in (*given, odd)]
    pictures = [*given, odd]
    observations = [Observation(p, np.ones(s, bool)) for p, s in zip(pictures, sizes, strict=True)]
    for picture, restored in zip(pictures, method.restore_batch(observations), strict=True):
        np.testing.assert_allclose(restored, picture.repeat(2, 0).repeat(2, 1), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_loss_is_the_mse_over_hidden_pixels_of_all_channels(channels):
    rng = np.random.default_rng(0)
    truth, restored = rng.integers(0, 256, (2, 3, 20, 24, channels))
    mask = rng.random((3, 20, 24)) < [[[0.1]], [[0.5]], [[0.9]]]
    expected = [np.mean((restored[k] - truth[k])[mask[k]] ** 2.0) for k in range(3)]
    pictures = [torch.tensor(np.moveaxis(a, -1, 1) / 255) for a in (restored, truth)]
    found = hidden_mse(*pictures, torch.tensor(mask[:, None], dtype=torch.float64))
    np.testing.assert_allclose(found.numpy(), expected)


def test_a_smooth_fill_keeps_what_is_known_and_stays_in_its_range():
    rng = np.random.default_rng(1)
    for shape, share in (((32, 32), 0.2), ((37, 50), 0.95), ((1, 2), 0.5), ((90, 90), 0.999)):
        mask = torch.tensor(rng.random((1, 1, *shape)) < share, dtype=torch.float32)
        mask[0, 0, 0, 0] = 0
        shown = torch.tensor(rng.random((1, 3, *shape)), dtype=torch.float32) * (1 - mask)
        filled, known = smooth_fill(shown, mask), (mask == 0)[0, 0]
        assert torch.equal(filled[..., known], shown[..., known])
        low, high = (f(shown[..., known], -1) for f in (torch.amin, torch.amax))
        assert (filled.flatten(2).amin(-1) >= low - 1e-6).all()
        assert (filled.flatten(2).amax(-1) <= high + 1e-6).all()
    nothing = torch.zeros(2, 1, 9, 9)
    assert torch.equal(smooth_fill(nothing, torch.ones_like(nothing)), nothing + 0.5)


def test_a_smooth_fill_comes_near_the_harmonic_one():
    observation = scratched(data.camera()[200:264, 200:264])
    shown, mask = (
        torch.tensor(a[None, None], dtype=torch.float32)
        for a in (observation.image / 255, observation.mask)
    )
    harmonic = harmonic_fill(observation.image, observation.mask)
    difference = smooth_fill(shown, mask)[0, 0].numpy() * 255 - harmonic
    spread = harmonic[observation.mask].std()
    assert np.abs(difference[observation.mask]).mean() < 0.15 * spread


@pytest.mark.parametrize("turn", [np.flipud, np.fliplr, lambda a: np.swapaxes(a, 0, 1), np.rot90])
@pytest.mark.parametrize("name", ["scratches-cnn", "border-cnn"])
def test_averaging_makes_networks_for_pictures_blind_to_symmetries(name, turn, tmp_path):
    method, _ = untrained(name, tmp_path)
    observation = scratched(data.astronaut()[100:141, 200:250])  # padded, and not square
    turned = Observation(turn(observation.image).copy(), turn(observation.mask).copy())
    once, again = method.restore(turned), turn(method.restore(observation))
    np.testing.assert_allclose(once, again, atol=0.01)
    method.symmetries = False
    assert np.abs(method.restore(turned) - turn(method.restore(observation))).max() > 0.1


@pytest.fixture
def in_float32(monkeypatch):
    """Restore in float32 also where bfloat16 is fast: to compare with the network called here."""
    monkeypatch.setattr(network_method, "fast_bfloat16", lambda device: False)


def test_grey_goes_through_a_network_of_colour_as_three_equal_channels(tmp_path, in_float32):
    method, network = untrained("scratches-cnn:symmetries=no", tmp_path)
    grey = scratched(data.camera()[200:240, 200:240])
    filled = torch.tensor(grey.image / 255, dtype=torch.float32).expand(1, 3, -1, -1)
    mask = torch.tensor(grey.mask[None, None], dtype=torch.float32)
    with torch.inference_mode():
        expected = network(filled, mask)[0].clamp(0, 1).mean(0).numpy() * 255
    restored = method.restore(grey)
    np.testing.assert_allclose(restored[grey.mask], expected[grey.mask], atol=1e-3)
    assert np.array_equal(restored[~grey.mask], grey.image[~grey.mask])


def test_colour_goes_through_a_network_for_grey_channel_by_channel(tmp_path):
    method, _ = untrained("border-cnn", tmp_path)
    colour = scratched(data.astronaut()[100:140, 200:240])
    channels = [method.restore(Observation(colour.image[..., c], colour.mask)) for c in range(3)]
    np.testing.assert_allclose(method.restore(colour), np.stack(channels, -1), atol=1e-3)


def test_pictures_of_different_sizes_come_back_in_their_order(tmp_path):
    method, _ = untrained("scratches-cnn", tmp_path)
    places = [(0, 32), (50, 40), (90, 32), (20, 33), (200, 40)]
    several = [scratched(data.astronaut()[a : a + n, 200 : 200 + n], a) for a, n in places]
    for observation, restored in zip(several, method.restore_batch(several), strict=True):
        np.testing.assert_allclose(restored, method.restore(observation), atol=0.01)


@pytest.mark.parametrize("name", ["center-pixel-cnn", "pixelnet:patch=9", "pixelnet:kind=classes"])
def test_a_hidden_pixel_is_restored_from_the_patch_around_it(name, tmp_path, in_float32):
    method, network = untrained(f"{name}:symmetries=no", tmp_path)
    truth, mask = center_pixel.draw(data.camera(), np.random.default_rng(3))
    truth[15, 15] = 0
    side, margin = method.side, method.side // 2
    patch = truth[15 - margin : 16 + margin, 15 - margin : 16 + margin] / 65535
    hidden = np.zeros((side, side))
    hidden[margin, margin] = 1
    tensors = [torch.tensor(a[None, None], dtype=torch.float32) for a in (patch, hidden)]
    with torch.inference_mode():
        expected = float(network(*tensors)) * 65535
    restored = method.restore(Observation(truth, mask))
    assert restored[15, 15] == pytest.approx(expected, abs=0.05)
    assert np.array_equal(restored[~mask], truth[~mask])


def test_networks_for_the_centre_do_not_see_it():
    for name in ("center-pixel-cnn", "pixelnet", "pixelnet:kind=fc"):
        network = parse_method(name).build().eval()
        shown, mask = torch.rand(2, 1, 31, 31), torch.zeros(2, 1, 31, 31)
        mask[..., 15, 15] = 1
        other = torch.where(mask > 0, torch.rand_like(shown), shown)
        assert torch.equal(network(shown, mask), network(other, mask))


def test_the_centre_net_follows_brightness_and_contrast():
    torch.manual_seed(0)
    network = CentreNet().eval()
    torch.nn.init.normal_(network.last.weight, std=0.1)
    shown, mask = torch.rand(4, 1, 31, 31), torch.ones(4, 1, 31, 31)
    value = network(shown, mask)
    torch.testing.assert_close(network(shown * 0.3 + 0.2, mask), value * 0.3 + 0.2)
    flat = torch.full((1, 1, 31, 31), 0.7)
    torch.testing.assert_close(network(flat, mask[:1]), flat[..., :1, :1], atol=1e-4, rtol=0)


def test_the_middle_is_in_the_middle():
    numbers = torch.arange(49.0).reshape(1, 1, 7, 7)
    assert centre(numbers, 1).item() == 24
    assert centre(numbers, 3).flatten().tolist() == [16, 17, 18, 23, 24, 25, 30, 31, 32]


def test_pixelnet_has_the_published_number_of_parameters():
    assert sum(p.numel() for p in parse_method("pixelnet").build().parameters()) == 420_577


@pytest.mark.parametrize(("side", "kernel", "stride"), [(7, 5, 2), (4, 3, 2), (5, 3, 2), (6, 3, 1)])
def test_same_padding_is_tensorflows(side, kernel, stride):
    """Its documented rule: ceil(side / stride) outputs, and of the padding the larger half last."""
    torch.manual_seed(0)
    layer = Same(1, 1, kernel, stride=stride, bias=False)
    x = torch.rand(1, 1, side, side)
    outputs = -(-side // stride)
    total = max((outputs - 1) * stride + kernel - side, 0)
    padded = np.zeros((side + total, side + total))
    start = total // 2
    padded[start : start + side, start : start + side] = x[0, 0]
    weight = layer.weight.detach().numpy()[0, 0]
    expected = [
        [
            (
                padded[r * stride : r * stride + kernel, c * stride : c * stride + kernel] * weight
            ).sum()
            for c in range(outputs)
        ]
        for r in range(outputs)
    ]
    np.testing.assert_allclose(layer(x).detach().numpy()[0, 0], expected, rtol=1e-5)


def test_pixelnet_takes_published_counts_as_they_are_and_stretches_others():
    pixelnet = parse_method("pixelnet")
    assert pixelnet.stretch(np.array([500, 2700], np.uint16)) == (0, 65535)
    for known in (np.array([10, 200], np.uint8), np.array([100, 60000], np.uint16)):
        low, span = pixelnet.stretch(known)
        np.testing.assert_allclose((known - low) / span * 65535, [487, 2736])


def test_wrong_parameters_of_pixelnet_are_refused():
    with pytest.raises(InputError, match="patch must be one of 5, 7, 9, 11, not 6"):
        parse_method("pixelnet:patch=6")
    with pytest.raises(InputError, match="kind must be one of cnn, fc, classes, not 'rnn'"):
        parse_method("pixelnet:kind=rnn")


@pytest.mark.parametrize("name", [*NETWORKS, *VARIANTS])
def test_a_case_comes_out_alone_as_in_a_batch_and_every_weight_is_learned(name):
    method = parse_method(name)
    network = started(method)
    shown, truth, mask = drawn(method, 3)
    with torch.inference_mode():
        output = network(shown, mask)
        alone = torch.cat([network(shown[n : n + 1], mask[n : n + 1]) for n in range(3)])
    assert output.shape[1] == truth.shape[1]
    torch.testing.assert_close(alone, output, atol=1e-5, rtol=1e-4)
    network.train()
    network.loss(network(shown, mask), truth, mask).backward()
    for label, parameter in network.named_parameters():
        assert parameter.grad is not None, label
        assert parameter.grad.any(), label


@pytest.mark.parametrize("name", [n for n in NETWORKS if not method_classes()[n].needs_file])
def test_shipped_weights_have_a_complete_card(name):
    method = parse_method(name)
    card = read_card(method.weights_path)
    needed = {"photographs", "minutes", "validation_mse", "sha256", "bytes", "made", "crops_seen"}
    assert needed <= set(card)
    assert card["task"] == method.task.NAME  # which stands for all of its tasks
    assert card["method"] == method.weights_name
    load_weights(method.build(), method.weights_path)
    assert method.weights_path.stat().st_size <= 7_000_000


SHORT = Settings(crops=128, batch=16, epoch_crops=64, workers=0)


@pytest.mark.parametrize("name", ["tiny", "tiny-border", "center-pixel-cnn"])
def test_validation_is_the_tasks_own_score(name, tmp_path):
    """The card's score is what the method reaches on the held-out cases, computed by numpy."""
    tiny = {"tiny": Tiny(device="cpu"), "tiny-border": Tiny(device="cpu", kind="border")}
    method = tiny.get(name) or parse_method(f"{name}:device=cpu")
    card = train(method, ["skimage"], tmp_path, SHORT)
    method.weights = str(tmp_path / f"{method.weights_name}.safetensors")
    method.symmetries = False
    _, held_out = read_split(["skimage"], Skipped(), method.task)
    errors = []
    for number, pixels in enumerate(held_out):
        truth, mask = method.task.draw(pixels, np.random.default_rng((SHORT.seed, number)))
        image = truth.copy()
        image[mask] = 0
        restored = method.restore(Observation(image, mask)).astype(float)
        scale = method.task.LEVELS / np.iinfo(truth.dtype).max
        errors.append(np.square((restored - truth)[mask] * scale).mean())
    assert card["validation_mse"] == pytest.approx(np.mean(errors), rel=0.02)
    assert card["task"] == method.task.NAME
    samples = Image.open(tmp_path / "samples.png")
    assert samples.mode == ("RGB" if method.task.COLOUR else "L")
    assert method.cards()[0][1]["training_pictures"]["count"] > 0


def test_colour_is_read_where_the_task_has_it():
    colour, _ = read_split(["skimage"], Skipped(), scratches)
    grey, _ = read_split(["skimage"], Skipped(), border)
    assert {picture.ndim for picture in colour} == {2, 3}
    assert {picture.ndim for picture in grey} == {2}
    assert len(colour) == len(grey)


def test_photographs_that_a_task_cannot_use_are_skipped(tmp_path):
    for number, side in enumerate((40, 61, 70, 80)):
        pixels = np.random.default_rng(number).integers(0, 256, (side, side), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{side}.png")
    skipped = Skipped()
    training, validation = read_split([str(tmp_path)], skipped, center_pixel)
    assert len(training) + len(validation) == 2
    assert [name for name, _ in skipped.files] == ["40.png", "61.png"]


def test_windows_in_counts_are_trained_on_as_they_were_measured(tmp_path):
    rng = np.random.default_rng(0)
    own = [rng.integers(0, 65536, (400, 300 + n)).astype(np.uint16) for n in range(3)]
    for number, pixels in enumerate(own):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    training, validation = read_split([str(tmp_path)], Skipped(), center_pixel)
    assert {picture.shape for picture in training + validation} == {(256, 256)}
    assert all(picture.base is None for picture in training + validation)  # no more is in memory
    for window in draw_observations([*training, *validation], 0, center_pixel)[1]:
        places = [(n, *place) for n in range(3) for place in np.argwhere(own[n] == window[0, 0])]
        parts = [own[n][top : top + 31, left : left + 31] for n, top, left in places]
        assert any(np.array_equal(part, window) for part in parts)
    Image.fromarray(own[0][:100]).save(tmp_path / "flat.png")
    training, validation = read_split([str(tmp_path)], Skipped(), center_pixel)
    assert (100, 256) in {picture.shape for picture in training + validation}


def convolutions(network):
    return [tuple(p.shape[:2]) for p in network.parameters() if p.shape[2:] == (3, 3)]


def test_the_reports_unet_has_its_published_layers():
    down = [(32, 3), (32, 32), (64, 32), (64, 64), (128, 64), (128, 128), (256, 128), (256, 256)]
    up = [(256, 512), (256, 256), (128, 256), (128, 128), (64, 128), (64, 64), (32, 64), (32, 32)]
    deepest = parse_method("scratches-published:kind=blind-unet-5").build()
    assert convolutions(deepest) == [*down, (512, 256), (512, 512), *up]
    for depth in (2, 3):
        network = parse_method(f"scratches-published:kind=blind-unet-{depth}").build()
        assert convolutions(network) == [*down[: 2 * depth], *up[-2 * (depth - 1) :]]
        told = parse_method(f"scratches-published:kind=unet-{depth}").build()
        assert convolutions(told) == [(32, 4), *convolutions(network)[1:]]


def test_the_blind_unet_is_not_told_what_is_hidden_and_learns_all_of_the_picture(tmp_path):
    method, network = untrained("scratches-published:kind=blind-unet-2", tmp_path)
    shown, truth, mask = drawn(method, 3)
    output = network(shown, mask)
    assert torch.equal(output, network(shown, 1 - mask))
    assert 0 <= output.min() < output.max() <= 1
    expected = np.abs((output - truth).detach().numpy()).mean()
    assert network.loss(output, truth, mask).item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", SQUARES)
def test_networks_for_squares_alone_restore_larger_pictures_square_by_square(kind, tmp_path):
    method, _ = untrained(f"scratches-published:kind={kind}", tmp_path)
    pixels = data.astronaut()[100:164, 200:264]
    whole = scratched(pixels)
    restored = method.restore(whole)
    for top, left in ((0, 0), (0, 32), (32, 0), (32, 32)):
        square = (slice(top, top + 32), slice(left, left + 32))
        alone = method.restore(Observation(whole.image[square], whole.mask[square]))
        np.testing.assert_allclose(restored[square], alone, atol=0.01)


def test_other_networks_of_the_report_see_larger_pictures_as_a_whole(tmp_path):
    for name in set(KINDS) - {f"scratches-published:kind={kind}" for kind in SQUARES}:
        _, network = untrained(name, tmp_path)
        shown, mask = torch.rand(1, 3, 64, 64), (torch.rand(1, 1, 64, 64) < 0.2).float()
        assert torch.equal(network(shown, mask), network.network(shown, mask))
        other = shown.clone()
        other[..., :31] += 0.5  # across the middle, which would be a border of squares
        change = (network(other, mask) - network(shown, mask))[..., 32:]
        assert change.abs().max() > 1e-5


def test_a_network_without_weights_says_how_to_make_them():
    for name in ("affine-upscaler", "pixelnet:patch=9", "scratches-published:kind=unet-5"):
        with pytest.raises(InputError, match=f"make them by inpaintbench train {name} --images"):
            parse_method(name).load()


def test_unknown_networks_of_the_report_are_refused():
    with pytest.raises(
        InputError, match=r"kind must be one of unet-2, unet-3, unet-5, .*, not 'unet-4'"
    ):
        parse_method("scratches-published:kind=unet-4")


def test_a_known_pixel_is_never_changed(tmp_path):
    hole = observe(data.camera()[:75, :90], (slice(30, 41), slice(33, 48)))
    for name in ("border-cnn", "scratches-cnn", "center-pixel-cnn"):
        method, _ = untrained(name, tmp_path)
        assert np.array_equal(method.restore(hole)[~hole.mask], hole.image[~hole.mask])
