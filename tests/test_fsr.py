"""fsr against the papers' algorithm, written out, and against known answers."""

import numpy as np
import pytest
from conftest import observe
from skimage import data

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import local_spectrum, parse_method

MIDDLE = (slice(30, 34), slice(40, 44))  # one block


def written_out(image, box, size, iterations, gamma, rho, falloff):
    """Seiler and Kaup's algorithm for one block, in the picture's own domain, with all sums."""
    rows, columns = box
    top, left = rows.start - (size - 4) // 2, columns.start - (size - 4) // 2
    signal = image[top : top + size, left : left + size].astype(float)
    y, x = np.mgrid[:size, :size]
    inside = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, None))
    inside = (inside[0], slice(inside[1].start, inside[1].start + 4))
    weight = rho ** np.hypot(y - inside[0].start - 1.5, x - inside[1].start - 1.5)
    weight[inside] = 0
    mean = (weight * signal).sum() / weight.sum()
    signal, model = signal - mean, np.zeros((size, size))
    waves = {}
    for k in range(size // 2):
        for m in range(-size // 2 + 1, size // 2):
            if k > 0 or m >= 0:
                waves[k, m] = np.exp(2j * np.pi * (k * y + m * x) / size)
    for _ in range(iterations):
        best, chosen = -1.0, None
        for (k, m), wave in waves.items():
            # The best multiple of the wave, were it alone, and how much it lowers the error.
            multiple = (weight * (signal - model) * wave.conj()).sum() / weight.sum()
            decrease = abs(multiple) ** 2 * (1 + (64 / size) ** 2 * (k * k + m * m)) ** (
                -falloff / 2
            )
            if decrease > best * (1 + 1e-9):
                best, chosen = decrease, ((k, m), multiple, wave)
        (k, m), multiple, wave = chosen
        twice = 1 if k == m == 0 else 2  # with its conjugate
        model = model + twice * gamma * (multiple * wave).real
    return (model + mean)[inside]


@pytest.mark.parametrize("iterations", [1, 2, 3, 10, 40])
@pytest.mark.parametrize(("gamma", "rho", "falloff"), [(0.4, 0.6, 1.0), (0.9, 0.85, 0.0)])
def test_fsr_is_the_papers_algorithm(observation, iterations, gamma, rho, falloff):
    picture = data.camera()[100:170, 200:293]
    hidden = observe(picture, MIDDLE)
    settings = f"fsr:window=16:iterations={iterations}:gamma={gamma}:rho={rho}:falloff={falloff}"
    restored = parse_method(settings).restore(hidden)
    expected = written_out(hidden.image, MIDDLE, 16, iterations, gamma, rho, falloff)
    np.testing.assert_allclose(restored[MIDDLE], expected.clip(0, 255), atol=0.02)


@pytest.mark.parametrize("hole", [(slice(30, 34), slice(40, 44)), (slice(30, 43), slice(35, 46))])
def test_fsr_restores_waves_of_its_window(hole):
    y, x = np.mgrid[:70, :90] * (2 * np.pi / 28)
    waves = 30_000 + 9_000 * np.cos(2 * y + 3 * x + 0.4) + 6_000 * np.sin(4 * x - y)
    hidden = observe(waves.astype(np.uint16), hole)
    error = np.abs(parse_method("fsr:iterations=500").restore(hidden) - waves)[hidden.mask]
    assert error.max() < 100
    harmonic = np.abs(parse_method("harmonic").restore(hidden) - waves)[hidden.mask]
    assert harmonic.max() > 2000


@pytest.mark.parametrize("method", ["fsr", "fsr:quality=true"])
class TestBothSettings:
    def test_a_constant_picture_stays_constant(self, method):
        for hole in ((slice(30, 51), slice(20, 41)), (slice(0, 9), slice(80, 90))):
            hidden = observe(np.full((70, 90), 77, np.uint8), hole)
            np.testing.assert_allclose(parse_method(method).restore(hidden), 77, atol=1e-4)

    def test_brightness_and_contrast_move_the_answer_alike(self, method, observation):
        made, mask = parse_method(method), observation.mask
        dark = (observation.image // 4).astype(np.uint8)
        light = np.where(mask, 0, 3 * dark + 40).astype(np.uint8)
        restored = made.restore(Observation(light, mask))
        expected = 3 * made.restore(Observation(dark, mask)) + 40
        np.testing.assert_allclose(restored[mask], expected[mask], atol=0.1)

    def test_sixteen_bits_are_eight_bits_scaled(self, method, observation):
        made, mask = parse_method(method), observation.mask
        deep = Observation(observation.image.astype(np.uint16) * 257, mask)
        np.testing.assert_allclose(
            made.restore(deep)[mask] / 257, made.restore(observation)[mask], atol=0.1
        )

    def test_channels_are_restored_alone(self, method):
        hidden = observe(data.astronaut()[:80, 200:290], (slice(30, 41), slice(40, 49)))
        made = parse_method(method)
        for channel in range(3):
            grey = Observation(np.ascontiguousarray(hidden.image[..., channel]), hidden.mask)
            assert np.array_equal(made.restore(hidden)[..., channel], made.restore(grey))

    def test_one_block_turns_with_the_picture(self, method, observation):
        hidden, made = observe(data.camera()[100:170, 200:293], MIDDLE), parse_method(method)
        restored = made.restore(hidden)
        for turn in (np.flipud, np.fliplr, np.transpose):
            turned = Observation(*map(np.ascontiguousarray, map(turn, (hidden.image, hidden.mask))))
            np.testing.assert_allclose(made.restore(turned), turn(restored), atol=0.1)

    def test_holes_far_apart_know_nothing_of_each_other(self, method):
        picture, made = data.camera()[100:300, 200:400], parse_method(method)
        holes = [(slice(20, 31), slice(30, 39)), (slice(150, 155), slice(160, 181))]
        both = observe(picture, holes[0]).mask | observe(picture, holes[1]).mask
        restored = made.restore(Observation(np.where(both, 0, picture).astype(np.uint8), both))
        for hole in holes:
            alone = made.restore(observe(picture, hole))
            np.testing.assert_allclose(restored[hole], alone[hole], atol=1e-3)

    def test_a_scratch_and_speckles_are_restored_well(self, method):
        picture = data.camera()[100:200, 200:300]
        mask = np.random.default_rng(0).random(picture.shape) < 0.2
        mask[np.arange(100), np.arange(100)] = True
        restored = parse_method(method).restore(
            Observation(np.where(mask, 0, picture).astype(np.uint8), mask)
        )
        assert np.array_equal(restored[~mask], picture[~mask])
        error = np.square(restored - picture)[mask].mean()
        assert error < 0.1 * picture[mask].var()

    @pytest.mark.parametrize("known", [(slice(0, 60), slice(50, 60)), (slice(3, 4), slice(5, 6))])
    def test_where_little_is_known_it_is_continued(self, method, known):
        image, mask = np.zeros((60, 60), np.uint8), np.ones((60, 60), bool)
        image[known], mask[known] = 90, False
        restored = parse_method(method).restore(Observation(image, mask))
        np.testing.assert_allclose(restored, 90, atol=0.01)


def test_the_conditional_mean_is_the_dense_solution():
    rng, size = np.random.default_rng(3), local_spectrum.WINDOW
    power, _ = local_spectrum._general()
    weight = np.where(rng.random((size, size)) < 0.05, rng.uniform(0.1, 1, (size, size)), 0)
    pixels = rng.normal(size=(size, size))
    root = np.sqrt(power) * size
    right = root * np.fft.rfft2(weight * pixels)
    solution = local_spectrum._solve(root, weight, right, 400)
    field = np.fft.irfft2(root * solution)
    covariance = np.fft.irfft2(power) * size**2
    y, x = np.nonzero(weight)
    between = covariance[(y[:, None] - y) % size, (x[:, None] - x) % size]
    noise = np.diag(local_spectrum.NOISE / weight[y, x])
    expected = between @ np.linalg.solve(between + noise, pixels[y, x])
    np.testing.assert_allclose(field[y, x], expected, atol=1e-3)


@pytest.mark.parametrize(
    "settings",
    [
        "window=27",
        "block=0",
        "block=15",
        "iterations=0",
        "gamma=0",
        "rho=1",
        "delta=0",
        "window=2:block=1",
        "rho=1e-300",
        "delta=1e-300",
        "falloff=-1",
    ],
)
def test_wrong_parameters_are_refused(settings):
    with pytest.raises(Exception, match=settings.split("=")[0]):
        parse_method(f"fsr:{settings}")
