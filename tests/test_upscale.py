"""Enlarging pictures: the task, its methods by independent means, and a run."""

import hypothesis.strategies as st
import numpy as np
import pytest
import skimage.measure
import skimage.transform
from hypothesis import given
from PIL import Image
from scipy import signal
from skimage import data
from test_run import carried_out, small

from inpaintbench.benchmarks.scoring import score_picture
from inpaintbench.datasets.cases import Case, Observation
from inpaintbench.datasets.images import Skipped
from inpaintbench.datasets.tasks import upscale
from inpaintbench.methods import parse_method
from inpaintbench.methods.least_squares_upscaler import LeastSquaresUpscaler
from inpaintbench.reports import load_run
from inpaintbench.reports.page import write_report

UPSCALERS = (
    "resize:kind=nearest",
    "resize:kind=bilinear",
    "resize",
    "resize:kind=lanczos",
    "back-projection",
    "least-squares-upscaler",
)


def enlarge(name, picture, times=2):
    mask = np.ones((picture.shape[0] * times, picture.shape[1] * times), bool)
    return parse_method(name).restore(Observation(picture, mask))


def test_a_picture_of_the_cases_size_is_one_case(tmp_path):
    for place in range(3):
        Image.fromarray(data.camera()[place:][:128, :128]).save(tmp_path / f"{place}.png")
    cases = small(30, task="upscale", images=str(tmp_path)).draw(Skipped())
    assert len({case.sha256 for case in cases}) == len(cases) == 3


@given(st.integers(0, 2**32))
def test_what_is_given_is_the_mean_of_every_2x2_pixels(seed):
    truth, mask, small = upscale.draw(data.camera(), np.random.default_rng(seed))
    assert truth.shape == mask.shape == (128, 128)
    assert mask.all()
    assert small.shape == (64, 64)
    assert truth.dtype == small.dtype == np.uint8
    mean = skimage.transform.downscale_local_mean(truth.astype(float), (2, 2))
    assert np.abs(small - mean).max() <= 0.5
    # The published way: scikit-image's resize of order 1 without anti-aliasing.
    published = skimage.transform.resize(truth / 255, (64, 64), order=1, anti_aliasing=False)
    assert np.abs(small / 255 - published).max() <= 0.5 / 255 + 1e-9


def test_no_two_cases_of_a_photograph_are_the_same():
    drawn = [upscale.draw(data.camera(), np.random.default_rng(seed))[0] for seed in range(40)]
    assert len({picture.tobytes() for picture in drawn}) == 40


def test_a_half_is_rounded_to_the_even_number_and_16_bits_stay():
    block = np.array([[1, 2, 2, 3], [1, 2, 2, 3]], np.uint16)  # means 1.5 and 2.5
    assert upscale.halve(block).tolist() == [[2, 2]]
    assert upscale.halve(block * 20_000).dtype == np.uint16


def test_the_published_unit_is_the_mse_of_pictures_in_0_to_1():
    truth, picture = np.random.default_rng(0).integers(0, 256, (2, 128, 128)).astype(np.uint8)
    case = Case("c", "upscale", "i", "s", 0, truth, np.ones((128, 128), bool), truth[::2, ::2])
    scores = score_picture(picture, case, ("mse", "unit_mse"))
    assert scores["unit_mse"] == pytest.approx(np.mean((truth / 255 - picture / 255) ** 2))


@pytest.mark.parametrize("kind", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("times", [2, 3])
def test_resizing_is_the_sum_of_its_kernel_inside(kind, times):
    """By brute force: each pixel the weighted mean of those around, distances in given pixels."""
    kernels = {
        "nearest": lambda x: (np.abs(x) <= 0.5) * 1.0,
        "bilinear": lambda x: np.maximum(1 - np.abs(x), 0),
        "bicubic": lambda x: np.where(
            np.abs(x) < 1,
            1.5 * np.abs(x) ** 3 - 2.5 * x**2 + 1,
            (np.abs(x) < 2) * (-0.5 * np.abs(x) ** 3 + 2.5 * x**2 - 4 * np.abs(x) + 2),
        ),
        "lanczos": lambda x: np.sinc(x) * np.sinc(x / 3) * (np.abs(x) < 3),
    }
    picture = data.camera()[100:120, 200:230]
    enlarged = enlarge(f"resize:kind={kind}", picture, times)
    sides = []
    for length in picture.shape:
        places = (np.arange(length * times) + 0.5) / times - 0.5  # half a pixel: centres
        weights = kernels[kind](places[:, None] - np.arange(length))
        sides.append(weights / weights.sum(axis=1, keepdims=True))
    expected = (sides[0] @ picture @ sides[1].T).clip(0, 255)
    assert np.abs(enlarged - expected).max() < 1e-3


def test_nearest_repeats_pixels_and_8_bits_agree_with_pils_own():
    colour = data.astronaut()[50:90, 60:110]
    repeated = colour.repeat(2, axis=0).repeat(2, axis=1)
    assert np.array_equal(enlarge("resize:kind=nearest", colour), repeated)
    own = np.asarray(Image.fromarray(colour).resize((100, 80), Image.Resampling.BICUBIC))
    assert np.abs(np.rint(enlarge("resize", colour)) - own).max() <= 1  # it computes in integers


@pytest.mark.parametrize("name", ["resize:kind=bilinear", "resize", "back-projection"])
def test_a_ramp_goes_on_as_it_is(name):
    true = np.add.outer(np.arange(80) * 1.0, np.arange(60) * 2.0) + 10
    given_picture = upscale.block_means(true, 2)
    assert np.array_equal(given_picture, np.rint(given_picture * 2) / 2)  # halves: doubled below
    enlarged = enlarge(name, (given_picture * 2).astype(np.uint16)) / 2
    inside = slice(12, -12)
    assert np.abs(enlarged - true)[inside, inside].max() < 1e-2


def test_least_squares_goes_on_with_a_ramp_nearly():
    true = np.add.outer(np.arange(80) * 1.0, np.arange(60) * 2.0) + 10
    enlarged = enlarge("least-squares-upscaler", upscale.block_means(true * 2, 2).astype(np.uint16))
    assert np.abs(enlarged / 2 - true)[12:-12, 12:-12].max() < 0.15


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_back_projection_makes_has_the_means_that_were_given(dtype):
    highest = np.iinfo(dtype).max
    picture = (data.camera()[100:180, 150:241] // 2 + 60).astype(dtype) * dtype(highest // 255)
    enlarged = enlarge("back-projection", picture)
    means = skimage.transform.downscale_local_mean(enlarged, (2, 2))
    assert np.abs(means - picture).max() < 1e-4 * highest
    before = skimage.transform.downscale_local_mean(enlarge("resize", picture), (2, 2))
    assert np.abs(before - picture).max() > 1e-2 * highest


def lstsq_weights(pictures, side, seed, cases):
    """Weights of the four pixels by numpy, from the same cases, each in its 8 flips and turns."""
    shares = np.cumsum([min(p.shape) for p in pictures])
    rows, values = [], []
    for number in range(cases):
        rng = np.random.default_rng((seed, number))
        picture = pictures[int(np.searchsorted(shares / shares[-1], rng.random()))]
        truth, _, small = upscale.draw(picture, rng)
        for turn in range(4):
            for flip in (False, True):
                large, own = np.rot90(truth / 255, turn), np.rot90(small / 255, turn)
                large, own = (large.T, own.T) if flip else (large, own)
                for row in range(4, 60):
                    for column in range(4, 60):
                        reach = side // 2
                        around = np.s_[row - reach : row + reach + 1]
                        patch = own[around, column - reach : column + reach + 1]
                        rows.append((patch - own[row, column]).ravel())
                        values.append(large[2 * row, 2 * column] - own[row, column])
    solved = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0].reshape(side, side)
    solved[side // 2, side // 2] = 1 - (solved.sum() - solved[side // 2, side // 2])
    return solved


def test_least_squares_are_numpys(tmp_path, monkeypatch):
    import safetensors.numpy

    from inpaintbench.methods import least_squares_upscaler
    from inpaintbench.methods.weights import write_weights

    monkeypatch.setattr(least_squares_upscaler, "CASES", 3)
    pictures = [data.camera(), data.moon()]
    arrays = LeastSquaresUpscaler.fit(pictures, 3)
    path = tmp_path / "w.safetensors"
    write_weights(safetensors.numpy.save(arrays), path, {"method": "least-squares-upscaler"})
    method = LeastSquaresUpscaler(patch=3, weights=str(path))
    own = least_squares_upscaler.patch_weights(method.weights_file, 3)
    expected = lstsq_weights(pictures, 3, 3, 3)
    assert own.sum() == pytest.approx(1)
    assert np.abs(own - expected).max() < 1e-4
    # What it makes of a picture is what its weights say, at each of the four pixels.
    picture = data.coins()[50:80, 60:95]
    enlarged = method.restore(Observation(picture, np.ones((60, 70), bool)))
    for row, column, turned in (
        (0, 0, own),
        (0, 1, own[:, ::-1]),
        (1, 0, own[::-1]),
        (1, 1, own[::-1, ::-1]),
    ):
        inside = signal.correlate2d(picture.astype(float), turned, "valid").clip(0, 255)
        assert np.allclose(enlarged[row::2, column::2][1:-1, 1:-1], inside)


def test_the_shipped_least_squares_beat_what_needs_no_photographs():
    """On a photograph that they were not fitted on, as the validation photographs said."""
    truth = data.coffee()[:384, :512, 1]
    small = upscale.halve(truth)
    errors = {name: np.mean((enlarge(name, small) - truth) ** 2) for name in UPSCALERS}
    assert min(errors, key=errors.get) == "least-squares-upscaler"
    assert errors["least-squares-upscaler"] < 0.92 * errors["resize"]


def test_the_shipped_network_beats_them_all_and_keeps_the_means():
    truth = data.coffee()[100:260, 200:400]
    small = upscale.halve(truth)
    enlarged = enlarge("espcn", small)
    best = enlarge("least-squares-upscaler", small)
    assert np.mean((enlarged - truth) ** 2.0) < 0.85 * np.mean((best - truth) ** 2.0)
    means = skimage.transform.downscale_local_mean(enlarged, (2, 2, 1))
    clipped = (enlarged <= 0) | (enlarged >= 255)
    touched = skimage.measure.block_reduce(clipped, (2, 2, 1), np.max)
    assert np.abs(means - small)[~touched].max() < 0.01
    deep = enlarge("espcn", small.astype(np.uint16) * 257)
    assert np.abs(deep / 257 - enlarged).max() < 0.01
    flat = np.full((21, 34), 200, np.uint8)
    assert np.abs(enlarge("espcn", flat) - 200).max() < 2


@pytest.mark.parametrize("name", UPSCALERS)
def test_a_flat_picture_stays_flat_and_colours_are_enlarged_each(name):
    flat = np.full((21, 34), 200, np.uint8)
    assert np.abs(enlarge(name, flat) - 200.0).max() < 1e-3
    colour = data.astronaut()[40:75, 200:241]
    by_channel = [enlarge(name, np.ascontiguousarray(colour[..., c])) for c in range(3)]
    assert np.allclose(enlarge(name, colour), np.stack(by_channel, -1), atol=1e-3)


def test_parameters_are_checked():
    for text, words in {
        "resize:kind=cubic": "kind must be one of nearest, bilinear, bicubic, lanczos",
        "back-projection:steps=-1": "steps must be 0 or more",
        "least-squares-upscaler:patch=4": "patch must be one of",
    }.items():
        with pytest.raises(ValueError, match=words):
            parse_method(text)


def test_a_run_and_its_page_show_the_given_picture_enlarged(tmp_path):
    methods = [parse_method(name) for name in ("resize:kind=nearest", "resize", "telea")]
    scores, _ = carried_out(tmp_path / "run", methods, 1, small(2, task="upscale"))
    done = scores[scores["status"] == "ok"]
    assert set(done["method"]) == {"resize"}
    assert done[["mse", "mae", "psnr", "ssim", "unit_mse"]].notna().all().all()
    assert (scores[scores["method"] == "telea"]["status"] == "skipped").all()
    run = load_run(tmp_path / "run")
    assert run.verdict().startswith("resize wins with an MSE of ")
    table = run.task_scores().set_index("method")
    best = done[done["label"] == "resize"]
    assert table.loc["resize", "unit_mse"] == pytest.approx((best["mse"] / 255**2).mean())
    assert write_report(run).exists()
    for case_id in run.cases["case_id"]:
        folder = run.files / "pictures"
        observed, truth = (
            np.asarray(Image.open(folder / what / f"{case_id}.png"))
            for what in ("observed", "truth")
        )
        assert observed.shape == truth.shape == (128, 128)
        assert (observed[::2, ::2] == observed[1::2, 1::2]).all()
        assert np.array_equal(observed[::2, ::2], upscale.halve(truth))


def test_the_published_network_is_affine_and_has_85_million_parameters():
    import torch

    network = parse_method("affine-upscaler").build().eval()
    assert 84.9e6 < sum(p.numel() for p in network.parameters()) < 85.1e6
    one, other = torch.rand(2, 1, 1, 64, 64)
    with torch.inference_mode():
        assert network(one, None).shape == (1, 1, 128, 128)
        between = network(0.3 * one + 0.7 * other, None)
        assert torch.allclose(
            between, 0.3 * network(one, None) + 0.7 * network(other, None), atol=1e-4
        )
        # A larger picture is taken apart, one of no such size filled up.
        wide = network(torch.cat([one, other], 3), None)
        assert torch.allclose(wide[..., 128:], network(other, None), atol=1e-4)
        assert network(one[..., :50, :41], None).shape == (1, 1, 100, 82)


def test_the_network_keeps_the_means_of_what_it_is_given_at_any_size():
    import torch

    from inpaintbench.methods.networks.espcn_net import EspcnNet

    network = EspcnNet(8, 1)
    torch.nn.init.normal_(network.head.weight)  # it starts from 0
    for height, width in ((1, 1), (1, 2), (7, 12), (33, 20)):
        small = torch.rand(2, 1, height, width)
        large = network(small, torch.ones(2, 1, 2 * height, 2 * width))
        assert large.shape == (2, 1, 2 * height, 2 * width)
        assert torch.allclose(torch.nn.functional.avg_pool2d(large, 2), small, atol=1e-5)


def test_training_sees_corners_of_the_truth_and_of_what_is_given():
    method = parse_method("espcn")
    examples = method.examples([data.camera()], 0, one_each=False)
    for index in range(8):
        shown, truth, mask = examples[index]
        assert shown.shape == (1, 32, 32)
        assert truth.shape == mask.shape == (1, 64, 64)
        mean = skimage.transform.downscale_local_mean(truth[0].numpy() * 255, (2, 2))
        assert np.abs(mean - shown[0].numpy() * 255).max() <= 0.5 + 1e-3
