"""Low light: its noise against theory, its methods and networks against independent sources."""

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from scipy import ndimage
from skimage import color, data
from test_run import carried_out, small

from inpaintbench.benchmarks.answers import finish_prediction, hidden_of, picture_of
from inpaintbench.benchmarks.check import run_checks
from inpaintbench.benchmarks.scoring import score_picture
from inpaintbench.benchmarks.suite import TASKS, read_suite
from inpaintbench.benchmarks.trying import check_output
from inpaintbench.datasets import Case, InputError, Observation
from inpaintbench.datasets.cases import LOW_LIGHT
from inpaintbench.datasets.images import Skipped
from inpaintbench.datasets.tasks import low_light
from inpaintbench.methods import method_classes, parse_method
from inpaintbench.methods.detect_and_inpaint import THRESHOLD, find_impulses, road
from inpaintbench.methods.gain_non_local_means import noise_deviation
from inpaintbench.methods.networks import light_net
from inpaintbench.methods.networks.vgg import Vgg19
from inpaintbench.methods.vgg_inversion import VggInversion
from inpaintbench.reports import load_run

RESTORERS = [
    name
    for name, method in method_classes().items()
    if set(method.tasks) & set(LOW_LIGHT) and not method.needs_file
]
FLAT = np.full((200, 200, 3), 200, np.uint8)  # 40 when dimmed


def drawn(name, pixels, seed=0):
    truth, mask, given = TASKS[name].draw(pixels, np.random.default_rng(seed))
    assert mask.all()
    assert truth.shape == given.shape == (*mask.shape, 3) == (128, 128, 3)
    assert truth.dtype == given.dtype == np.uint8
    return truth, given


def observed(given):
    return Observation(given, np.ones(given.shape[:2], bool))


def within(share, expected, count):
    """Whether a share of so many independent draws is as expected, to 5 standard deviations."""
    return abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / count)


def test_dimming_multiplies_the_value_and_keeps_hue_and_saturation():
    picture = data.astronaut()[::4, ::4]
    hsv = color.rgb2hsv(picture)
    hsv[..., 2] *= 0.2
    assert np.allclose(low_light.dim(picture) / 255, color.hsv2rgb(hsv), atol=1e-12)


def test_the_published_noise_sets_63_percent_of_the_values_to_1_and_none_to_white():
    _, given = drawn("low-light-published", FLAT)
    count = given.size
    untouched = (1 - 1 / count) ** count
    assert untouched == pytest.approx(np.exp(-1), abs=1e-4)
    assert abs((given == 1).mean() - (1 - untouched)) < 0.01
    assert set(np.unique(given)) == {1, 40}
    whole = (given == 1).all(axis=2).mean()  # channels are drawn apart
    assert abs(whole - (1 - untouched) ** 3) < 0.02


def test_salt_and_pepper_change_the_stated_share_of_whole_pixels():
    _, given = drawn("low-light", FLAT)
    assert (given == given[..., :1]).all()
    pixels = given[..., 0]
    assert set(np.unique(pixels)) == {0, 40, 255}
    for value in (0, 255):
        assert within((pixels == value).mean(), low_light.AMOUNT / 2, pixels.size)


@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("low-light-gaussian", 5),
        ("low-light-poisson", np.sqrt(40)),
        ("low-light-speckle", 0.2 * 40),
    ],
)
def test_other_noise_has_the_stated_deviation_around_the_dimmed_value(name, deviation):
    _, given = drawn(name, FLAT)
    error = 5 * deviation / np.sqrt(given.size)
    assert given.mean() == pytest.approx(40, abs=error)
    assert given.std() == pytest.approx(np.hypot(deviation, np.sqrt(1 / 12)), abs=error)


def test_noise_is_clipped_and_never_wraps():
    for name in LOW_LIGHT:
        black, white = np.zeros_like(FLAT), np.full_like(FLAT, 255)
        assert drawn(name, black)[1][..., 0].mean() < 20  # wrapped, the negative ones would be 255
        assert np.median(drawn(name, white)[1]) in (1, *range(45, 58))


def test_16_bits_are_refused_with_the_reason_and_grey_gets_three_channels(tmp_path):
    deep = data.camera().astype(np.uint16) * 257
    with pytest.raises(ValueError, match="16 bits"):
        TASKS["low-light"].draw(deep, np.random.default_rng(0))
    truth, _ = drawn("low-light", data.camera())
    assert (truth == truth[..., :1]).all()
    Image.fromarray(deep).save(tmp_path / "deep.png")
    Image.fromarray(data.astronaut()).save(tmp_path / "good.png")
    skipped = Skipped()
    suite = small(2, task="low-light", images=str(tmp_path))
    assert {case.image_id for case in suite.draw(skipped)} == {"good.png"}
    assert "16 bits" in dict(skipped.files)["deep.png"]


def test_bright_values_are_scored_apart():
    truth = np.full((8, 8, 3), 100, np.uint8)
    truth[0, 0] = [200, 250, 199]  # two bright values
    truth[1, 1] = [255, 0, 0]  # and a third
    picture = truth.copy()
    picture[0, 0] = [190, 4, 0]  # 199 does not count
    picture[5, 5] = 0
    case = Case("c", "low-light", "i", "s", 0, truth, np.ones((8, 8), bool), truth // 5)
    scores = score_picture(picture, case, ("bright_mse", "wrapped"))
    assert scores["bright_mse"] == pytest.approx((10**2 + 246**2 + 0) / 3)
    assert np.isnan(scores["wrapped"])  # none has bright neighbours
    dark = Case("c", "low-light", "i", "s", 0, picture * 0, case.mask, picture * 0)
    assert np.isnan(list(score_picture(picture, dark, ("bright_mse", "wrapped")).values())).all()


def test_what_comes_back_dark_in_a_bright_region_counts_as_wrapped():
    truth = np.full((8, 8, 3), 100, np.uint8)
    truth[2:6, 1:6] = 230  # 2x3 pixels of it have bright neighbours all around
    truth[0, 7] = 255  # in the corner, alone
    picture = truth.copy()
    picture[3, 3] = [50, 51, 4]  # two wrapped
    picture[2, 1] = picture[0, 7] = 0  # at the region's corner, and alone: lost, but not wrapped
    case = Case("c", "low-light", "i", "s", 0, truth, np.ones((8, 8), bool), truth // 5)
    assert score_picture(picture, case, ("wrapped",))["wrapped"] == pytest.approx(2 / (6 * 3))


def test_the_rim_of_a_picture_is_no_rim_of_a_bright_region():
    truth = np.full((6, 7, 3), 220, np.uint8)
    picture = truth.copy()
    picture[0, 0] = picture[5, 3] = 50
    picture[2, 2] = 51  # too bright to count
    case = Case("c", "low-light", "i", "s", 0, truth, np.ones((6, 7), bool), truth // 5)
    assert score_picture(picture, case, ("wrapped",))["wrapped"] == pytest.approx(2 / 42)


def test_gain_is_five_times_the_picture_clipped():
    given = np.arange(256, dtype=np.uint8).reshape(16, 16)
    expected = [min(5 * value, 255) for value in range(256)]
    assert parse_method("gain").restore(observed(given)).ravel().tolist() == expected
    deep = given.astype(np.uint16) * 257
    assert np.array_equal(
        parse_method("gain").restore(observed(deep)), np.reshape(expected, (16, 16)) * 257.0
    )


@pytest.mark.parametrize("size", [3, 5])
def test_the_median_is_that_of_the_surroundings(size):
    _, given = drawn("low-light-gaussian", data.astronaut())
    restored = parse_method(f"gain-median:size={size}").restore(observed(given))
    half = size // 2
    for channel in range(3):
        padded = np.pad(np.minimum(given[..., channel] * 5.0, 255), half, mode="symmetric")
        windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
        assert np.array_equal(restored[..., channel], np.median(windows, axis=(2, 3)))


@pytest.mark.parametrize("name", ["low-light", "low-light-speckle"])
def test_the_adaptive_median_is_that_of_rank_filters(name):
    _, given = drawn(name, data.astronaut())
    expected = np.empty_like(given)
    for channel in range(3):
        own = given[..., channel]
        decided, answer = np.zeros(own.shape, bool), own.copy()
        for side in (3, 5, 7):
            low, middle, high = (
                f(own, side, mode="reflect")
                for f in (ndimage.minimum_filter, ndimage.median_filter, ndimage.maximum_filter)
            )
            stays = (low < own) & (own < high)
            means = (low < middle) & (middle < high)
            here = ~decided & (means | (side == 7))
            answer[here] = np.where(stays & means, own, middle)[here]
            decided |= means
        expected[..., channel] = answer
    restored = parse_method("adaptive-median").restore(observed(given))
    assert np.array_equal(restored, np.minimum(expected * 5.0, 255))


def test_the_noise_is_estimated_from_the_picture():
    smooth = ndimage.gaussian_filter(data.camera() / 255, 2)
    noise = np.random.default_rng(0).normal(0, 0.1, smooth.shape)
    assert noise_deviation(smooth + noise) == pytest.approx(0.1, rel=0.05)


def test_road_is_the_four_smallest_differences():
    channel = np.random.default_rng(0).integers(0, 256, (6, 7)).astype(np.uint8)
    found = road(channel)
    around = [
        int(channel[2 + y, 3 + x]) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)
    ]
    assert found[2, 3] == sum(sorted(abs(value - int(channel[2, 3])) for value in around)[:4])


def made_picture():
    """A dimmed shading with a black square, its corners cut, all of it without noise."""
    shading = np.add.outer(np.arange(60), np.arange(70)) // 4 + 10
    picture = np.stack([shading, shading + 3, shading[::-1]], axis=-1).astype(np.uint8)
    black = np.zeros(shading.shape, bool)
    black[40:50, 40:50] = True
    black[40:50:9, 40:50:9] = False  # a corner has but three neighbours like itself
    picture[black] = 0
    return picture


def test_salt_and_pepper_are_found_and_black_squares_are_not():
    picture = made_picture()
    noisy = picture.copy()
    noisy[5, 6] = noisy[45, 45] = 255
    noisy[20, 30] = noisy[20, 32] = noisy[0, 0] = 0
    noisy[30, 10, 1] = 0  # in one channel alone
    noisy[9:12, 50] = noisy[10, 49:52] = 0  # a cross, whose middle has four like itself
    found = find_impulses(observed(noisy), THRESHOLD)
    assert not find_impulses(observed(picture), THRESHOLD).any()
    assert np.array_equal(found, noisy != picture)
    deep = find_impulses(observed(noisy.astype(np.uint16) * 257), THRESHOLD)
    assert np.array_equal(found, deep)


def test_published_noise_is_found_wherever_it_is():
    _, given = drawn("low-light-published", data.astronaut())
    assert np.array_equal(find_impulses(observed(given), THRESHOLD), given == 1)


@pytest.mark.parametrize("name", ["detect-and-inpaint", "light-unet:symmetries=no"])
def test_salt_is_found_in_a_picture_so_dark_that_most_values_are_the_published_ones(name):
    truth, given = drawn("low-light", data.astronaut() // 30)  # 3 to 7 become 1
    assert (given == 1).mean() > 0.5
    restored = parse_method(name).restore(observed(given))
    assert np.square(restored - truth).mean() < 5  # with the salt left, more than 3,000


@pytest.mark.parametrize("inpainter", ["harmonic", "telea"])
def test_with_the_right_detection_the_chain_is_the_inpainting_method(inpainter):
    picture = made_picture()
    rng = np.random.default_rng(0)
    places = rng.random(picture.shape[:2]) < 0.05
    noisy = picture.copy()
    noisy[places] = 255
    restored = parse_method(f"detect-and-inpaint:inpainter={inpainter}").restore(observed(noisy))
    for channel in range(3):
        bright = (picture[..., channel] * 5.0).clip(0, 255).astype(np.uint8)
        bright[places] = 0
        expected = parse_method(inpainter).restore(Observation(bright, places))
        assert np.array_equal(restored[..., channel][~places], bright[~places])
        assert np.allclose(restored[..., channel], expected)


def test_the_chain_has_the_weights_of_its_inpainting_method_and_refuses_what_fills_no_holes():
    assert (
        parse_method("detect-and-inpaint:inpainter=gaussian").weights_sha256()
        == parse_method("gaussian").weights_sha256()
    )
    with pytest.raises(InputError, match="gain fills no holes"):
        parse_method("detect-and-inpaint:inpainter=gain")
    with pytest.raises(InputError, match="unknown method"):
        parse_method("detect-and-inpaint:inpainter=nothing")


@pytest.mark.parametrize("name", RESTORERS)
def test_white_stays_white(name):
    """Noise takes white beyond 255: a method that wraps makes it black."""
    for task in ("low-light-gaussian", "low-light-poisson"):
        _, given = drawn(task, np.full((130, 140, 3), 255, np.uint8))
        observation = observed(given)
        hidden, _ = hidden_of(parse_method(name).restore(observation), observation)
        finished = finish_prediction(hidden, observation)
        assert picture_of(finished, observation).min() > low_light.DARK


def test_the_published_network_has_the_published_size():
    network = parse_method("light-cnn").build()
    layers = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(layers) == 16
    assert sum(p.numel() for p in network.parameters()) == 134_067
    shown, mask = torch.rand(2, 3, 33, 20) / 5, torch.ones(2, 1, 33, 20)
    answer = network(shown, mask)
    assert answer.shape == shown.shape
    assert (answer >= 0).all()


@pytest.mark.parametrize("name", LOW_LIGHT)
def test_the_networks_detector_is_the_methods(name):
    _, given = drawn(name, data.astronaut(), seed=3)
    planes = torch.from_numpy(given).movedim(-1, 0)[None].float() / 255
    found = light_net.find_impulses(planes)[0].movedim(0, -1).numpy()
    assert np.array_equal(found, find_impulses(observed(given), THRESHOLD))


def test_an_untrained_unet_fills_the_noise_smoothly_and_brightens_the_rest():
    network = parse_method("light-unet").build().eval()
    picture = made_picture()
    noisy = picture.copy()
    noisy[10:20:5, 10:30:7] = 255
    shown = torch.from_numpy(noisy).movedim(-1, 0)[None].float() / 255
    with torch.inference_mode():
        answer = network(shown, torch.ones(1, 1, 60, 70))[0].movedim(0, -1).numpy() * 255
    assert np.abs(answer - picture * 5.0).max() < 15
    assert np.abs(answer - picture * 5.0)[noisy == picture].max() < 1e-3


@pytest.fixture(scope="module")
def vgg_file(tmp_path_factory):
    """Random weights in torchvision's names, with more than is needed."""
    torch.manual_seed(0)
    network = Vgg19()
    for layer in network.features:
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    path = tmp_path_factory.mktemp("vgg") / "vgg19.safetensors"
    more = {"classifier.6.bias": torch.zeros(1000)}
    safetensors.torch.save_file({**network.state_dict(), **more}, path)
    return path


def test_vgg_has_torchvisions_names_and_shapes():
    shapes = {name: tuple(value.shape) for name, value in Vgg19().state_dict().items()}
    widths = [3, 64, 64, 128, 128, 256, 256, 256, 256, 512, 512]
    expected = {}
    for number, place in enumerate((0, 2, 5, 7, 10, 12, 14, 16, 19, 21)):
        expected[f"features.{place}.weight"] = (widths[number + 1], widths[number], 3, 3)
        expected[f"features.{place}.bias"] = (widths[number + 1],)
    assert shapes == expected


def test_inversion_starts_from_the_brightened_picture_and_smooths_it(vgg_file):
    truth, given = drawn("low-light-gaussian", data.astronaut())
    truth, observation = truth[:24, :32], observed(given[:24, :32])
    start = VggInversion(weights=str(vgg_file), steps=0).restore(observation)
    assert np.allclose(start, parse_method("gain").restore(observation), atol=1e-4)
    after = VggInversion(weights=str(vgg_file), steps=20).restore(observation)
    assert np.square(after - truth).mean() < 0.7 * np.square(start - truth).mean()


def test_inversion_keeps_the_contract_once_it_has_weights(vgg_file):
    class Ready(VggInversion):
        weights: str = str(vgg_file)
        steps: int = 1

    globals()["Ready"] = Ready
    Ready.__qualname__ = "Ready"  # so that it can be pickled
    assert [problem for _, problem in run_checks(Ready) if problem] == []


def test_inversion_says_what_is_missing(tmp_path, vgg_file):
    observation = observed(made_picture())
    with pytest.raises(InputError, match="needs VGG19's weights, which cannot be bundled"):
        VggInversion().restore(observation)
    with pytest.raises(InputError, match="there is no file"):
        VggInversion(weights=str(tmp_path / "no.safetensors")).weights_sha256()
    other = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"features.0.weight": torch.zeros(64, 3, 3, 3)}, other)
    with pytest.raises(InputError, match=r"'features\.0\.bias' is missing"):
        VggInversion(weights=str(other)).restore(observation)
    other.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="does not hold VGG19's weights"):
        VggInversion(weights=str(other)).restore(observation)


def test_methods_for_low_light_are_refused_where_holes_are_to_be_filled(tmp_path):
    with pytest.raises(InputError, match="gain fills no holes: it brightens"):
        check_output(tmp_path / "out", tmp_path / "in.png", [parse_method("gain")])


def test_a_run_scores_bright_values_and_skips_what_fills_holes(tmp_path):
    labels = ("gain", "gain-median", "detect-and-inpaint", "telea")
    suite = small(3, task="low-light")
    scores, _ = carried_out(tmp_path / "run", [parse_method(x) for x in labels], 1, suite)
    done = scores[scores["status"] == "ok"]
    assert set(done["method"]) == {*labels} - {"telea"}
    assert done[["mse", "mae", "psnr", "ssim"]].notna().all().all()
    assert (scores[scores["method"] == "telea"]["status"] == "skipped").all()
    run = load_run(tmp_path / "run")
    assert run.metric == "MSE"
    table = run.task_scores().set_index("method")
    assert {"bright_mse", "wrapped"} <= set(table)
    assert table["wrapped"]["gain"] > 0.02  # pepper
    assert table["bright_mse"].idxmin() == "detect-and-inpaint"


@pytest.mark.parametrize("name", ["low-light", "low-light-published"])
def test_the_best_network_is_5_db_above_gain_and_median(name):
    cases = read_suite(name).model_copy(update={"cases": 6}).draw(Skipped())
    methods = [parse_method(label) for label in ("light-unet", "gain-median")]
    ours, theirs = (
        [
            score_picture(np.rint(restored).astype(np.uint8), case, ("psnr",))["psnr"]
            for case, restored in zip(cases, answers, strict=True)
        ]
        for answers in (method.restore_batch([c.observation for c in cases]) for method in methods)
    )
    assert np.mean(ours) > np.mean(theirs) + 5
