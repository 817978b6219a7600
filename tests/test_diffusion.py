"""The diffusion family against scikit-image, scipy and pictures with known answers."""

import tracemalloc

import hypothesis.strategies as st
import numpy as np
import pytest
from conftest import observe
from hypothesis import given, settings
from scipy.interpolate import RBFInterpolator
from scipy.ndimage import distance_transform_edt, gaussian_filter
from scipy.optimize import minimize
from skimage import data
from skimage.restoration import inpaint_biharmonic

from inpaintbench.datasets.cases import Observation
from inpaintbench.methods import parse_method
from inpaintbench.methods.amle import _extend, _stencil
from inpaintbench.methods.polyharmonic import _factorised, polyharmonic_fill

LINEAR = ["harmonic", "biharmonic", "thin-plate"]
FAMILY = [*LINEAR, "total-variation", "amle", "coherence-transport"]
BOX = (slice(20, 33), slice(24, 35))


def restore(name, image, mask):
    image = image.copy()
    image[mask] = 0
    return parse_method(name).restore(Observation(image, mask))


def irregular(shape, seed):
    """Several holes, speckles and lines, also at the border and in a corner."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < 0.1
    mask[:5, 10:19] = mask[-4:, -6:] = mask[15:24, 12:21] = mask[28, :] = True
    mask[30, 3] = False
    return mask


def skimages(image, mask):
    highest = np.iinfo(image.dtype).max
    axis = -1 if image.ndim == 3 else None
    return inpaint_biharmonic(image / highest, mask, channel_axis=axis) * highest


def test_biharmonic_is_scikit_images_on_challenge_crops():
    rng, picture = np.random.default_rng(5), data.camera()
    observations = []
    for _ in range(30):
        y, x = rng.integers(0, 400, 2)
        crop = picture[y : y + 70, x : x + 93]
        height, width = rng.integers(2, 11, 2) * 2 + 1
        top, left = rng.integers(20, 70 - 20 - height + 1), rng.integers(20, 93 - 20 - width + 1)
        observations.append(observe(crop, np.s_[top : top + height, left : left + width]))
    together = parse_method("biharmonic").restore_batch(observations)
    for observation, restored in zip(observations, together, strict=True):
        expected = skimages(observation.image, observation.mask)
        np.testing.assert_allclose(restored, expected, rtol=0, atol=1e-6 * 255)


@pytest.mark.parametrize("deep", [False, True], ids=["8 bits", "16 bits"])
@pytest.mark.parametrize("colour", [False, True], ids=["grey", "colour"])
def test_biharmonic_is_scikit_images_on_irregular_masks(colour, deep):
    image = data.astronaut()[20:80, 180:250].astype(np.uint16 if deep else np.uint8)
    image = image * (257 if deep else 1)
    image = image if colour else image[..., 1]
    mask = irregular(image.shape[:2], 1)
    expected = skimages(np.where(mask[..., None] if colour else mask, 0, image), mask)
    restored = restore("biharmonic", image, mask)
    np.testing.assert_allclose(restored, expected, rtol=0, atol=1e-6 * np.iinfo(image.dtype).max)


@given(
    st.tuples(st.integers(0, 10), st.integers(1, 6), st.integers(0, 10), st.integers(1, 7)),
    st.sampled_from([0.0, 0.0, 0.2]),
    st.integers(0, 100),
)
def test_biharmonic_is_scikit_images_at_any_place(box, speckles, seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (16, 17)).astype(np.uint8)
    mask = rng.random(image.shape) < speckles
    mask[box[0] : box[0] + box[1], box[2] : box[2] + box[3]] = True
    expected = skimages(np.where(mask, 0, image), mask)
    restored = restore("biharmonic", image, mask)
    np.testing.assert_allclose(restored, expected, rtol=0, atol=1e-6 * 255)


@pytest.mark.parametrize("order", [1, 2])
def test_channels_with_one_mask_are_factorised_once(order):
    name = ["harmonic", "biharmonic"][order - 1]
    image = data.astronaut()[100:160, 100:170]
    mask = irregular(image.shape[:2], 2 + order)
    before = _factorised.cache_info().misses
    restored = restore(name, image, mask)
    assert _factorised.cache_info().misses == before + 1
    for c in range(3):
        single = restore(name, image[..., c].copy(), mask)
        np.testing.assert_allclose(restored[..., c], single, atol=1e-9)


PLANE = 2 * np.mgrid[:60, :64][0] + np.mgrid[:60, :64][1] + 9


@pytest.mark.parametrize("name", [*LINEAR, "amle"])
def test_a_plane_is_restored_exactly(name):
    plane = PLANE.astype(np.uint8)
    mask = observe(plane, BOX).mask
    np.testing.assert_allclose(restore(name, plane, mask), plane, atol=0.01)
    mask[22:30, 40:44] = mask[5, 5:30] = True  # and through the way for any other mask
    np.testing.assert_allclose(restore(name, plane, mask), plane, atol=0.01)


def test_biharmonic_restores_a_cubic_exactly():
    y, x = np.mgrid[-20:20, -22:22]
    cubic = (y**3 + 2 * x**3 - 3 * x * y**2 + 5 * x * y + 32000).astype(np.uint16)
    rectangle = observe(cubic, np.s_[14:27, 15:26]).mask
    cross = observe(cubic, np.s_[18:22, 5:39]).mask | observe(cubic, np.s_[5:35, 20:23]).mask
    for mask in (rectangle, cross):
        np.testing.assert_allclose(restore("biharmonic", cubic, mask), cubic, atol=0.01)


def test_polyharmonic_fills_ignore_what_is_out_of_reach():
    rng = np.random.default_rng(0)
    image, mask = rng.random((40, 40)), np.zeros((40, 40), bool)
    mask[15:22, 15:25] = mask[18, 10:30] = True
    for order in (1, 2, 3):
        far = image.copy()
        far[: 15 - order] = far[22 + order :] = 7
        filled, other = (polyharmonic_fill(i, mask, order)[mask] for i in (image, far))
        np.testing.assert_allclose(filled, other, atol=1e-9)


@pytest.mark.parametrize("name", LINEAR)
def test_what_lies_between_holes_far_apart_is_in_no_equation(name):
    image = np.random.default_rng(0).integers(1, 256, (800, 700)).astype(np.uint8)
    corners = np.zeros(image.shape, bool)
    corners[10:14, 9:12] = corners[-12:-9, -15:-10] = True
    parts = [(slice(0, 40), slice(0, 40)), (slice(-40, None), slice(-40, None))]
    alone = [restore(name, image[part], corners[part]) for part in parts]
    _factorised.cache_clear()
    tracemalloc.start()
    restored = restore(name, image, corners)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for part, expected in zip(parts, alone, strict=True):
        np.testing.assert_allclose(restored[part], expected, atol=1e-6)
    assert peak < 60 * image.size  # bytes: some arrays of the picture's size, no matrix of it


@pytest.mark.parametrize("margin", [1, 3])
@pytest.mark.parametrize("smoothing", [0.0, 2.0])
def test_thin_plate_is_scipys_spline_through_the_frame(observation, margin, smoothing):
    rows, columns = observation.hidden_box
    near = np.zeros(observation.mask.shape, bool)
    near[
        rows.start - margin : rows.stop + margin, columns.start - margin : columns.stop + margin
    ] = True
    frame = near & ~observation.mask
    spline = RBFInterpolator(
        np.argwhere(frame), observation.image[frame].astype(float), smoothing=smoothing
    )
    known = observation.image[~observation.mask]
    expected = np.clip(spline(np.argwhere(observation.mask)), known.min(), known.max())
    made = parse_method(f"thin-plate:margin={margin}:smoothing={smoothing}")
    np.testing.assert_allclose(made.restore(observation)[observation.mask], expected, atol=1e-3)
    fallback = made._fill(observation.image, observation.mask)
    np.testing.assert_allclose(fallback[observation.mask], expected, atol=1e-9)


def test_thin_plate_with_many_points_is_near_the_one_spline_through_all(monkeypatch):
    image = data.camera()[100:160, 200:270]
    mask = irregular(image.shape, 4)
    whole = restore("thin-plate", image, mask)
    monkeypatch.setattr("inpaintbench.methods.thin_plate.MOST_POINTS", 100)
    local = restore("thin-plate", image, mask)
    difference = np.abs(whole - local)[mask]
    assert 0 < difference.mean() < 2


def total_variation(image):
    """The documented one: over squares, the root of half the sum of four squared differences."""
    across, down = np.diff(image, axis=1) ** 2, np.diff(image, axis=0) ** 2
    return (across[1:] + across[:-1] + down[:, 1:] + down[:, :-1]) / 2


@pytest.mark.parametrize("seed", range(3))
def test_total_variation_is_the_least_that_scipy_finds(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (11, 12)).astype(np.uint8)
    mask = np.zeros(image.shape, bool)
    mask[3:8, 3:9] = True
    mask[2, 5] = mask[8, 8] = True

    def smoothed(hidden):
        picture = image.astype(float)
        picture[mask] = hidden
        return np.sqrt(total_variation(picture) + 0.1**2).sum()

    best = minimize(
        smoothed, np.full(mask.sum(), 128.0), method="L-BFGS-B", options={"maxfun": 1e5}
    )
    restored = restore("total-variation:tolerance=0.0001", image, mask)
    ours = np.sqrt(total_variation(restored)).sum()
    assert best.fun - 0.1 * mask.size <= ours <= best.fun + 0.5
    harmonic = np.sqrt(total_variation(restore("harmonic", image, mask))).sum()
    assert ours < harmonic - 5


def test_total_variations_gap_is_an_upper_bound_of_its_error():
    from inpaintbench.methods.total_variation import _descend

    image = data.camera()[130:150, 200:223] / 255
    mask = np.zeros(image.shape, bool)
    mask[4:15, 4:17] = True
    start = restore("harmonic", data.camera()[130:150, 200:223], mask) / 255
    reached = []
    for tolerance in (0.1, 0.01, 1e-6):
        picture = start.astype(float)
        _descend(picture, mask, 0.05, tolerance, 100_000)
        reached.append(np.sqrt(total_variation(picture)).sum())
    bound = np.sqrt(total_variation(start)).sum()
    for tolerance, value in zip((0.1, 0.01), reached[:2], strict=True):
        assert reached[2] - 1e-5 * bound <= value <= reached[2] + tolerance * bound


def test_total_variation_keeps_a_straight_edge_that_harmonic_blurs():
    image = np.full((40, 44), 30, np.uint8)
    image[:, 23:] = 220
    mask = observe(image, np.s_[14:27, 16:29]).mask
    made = "total-variation:tolerance=0.00001:iterations=20000"
    np.testing.assert_allclose(restore(made, image, mask), image, atol=1)
    assert np.abs(restore("harmonic", image, mask) - image).max() > 50


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_amle_is_nowhere_steeper_than_its_boundary(observation, radius):
    restored = parse_method(f"amle:radius={radius}").restore(observation)
    rows, columns = observation.hidden_box
    around = np.zeros(observation.mask.shape, bool)
    around[
        rows.start - radius : rows.stop + radius, columns.start - radius : columns.stop + radius
    ] = True
    frame = np.argwhere(around & ~observation.mask)
    values = observation.image[tuple(frame.T)].astype(float)
    distances = np.linalg.norm(frame[:, None] - frame[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    steepest = (np.abs(values[:, None] - values[None]) / distances).max()
    hidden = np.argwhere(observation.mask)
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if np.gcd(dy, dx) == 1:
                there = restored[hidden[:, 0] + dy, hidden[:, 1] + dx]
                slope = np.abs(there - restored[observation.mask]) / np.hypot(dy, dx)
                assert slope.max() <= steepest * 1.001
    inside = restored[observation.mask]
    assert values.min() <= inside.min() <= inside.max() <= values.max()


def test_amle_minimises_the_steepest_slope_at_every_pixel(observation):
    """Each hidden pixel's value is the best of all values, by trying them."""
    restored = parse_method("amle:radius=2").restore(observation)
    offsets = [
        (dy, dx) for dy in range(-2, 3) for dx in range(-2, 3) if np.gcd(dy, dx) == 1
    ]  # every direction once
    for y, x in np.argwhere(observation.mask)[::7]:
        values = np.array([restored[y + dy, x + dx] for dy, dx in offsets])
        lengths = np.array([np.hypot(*offset) for offset in offsets])
        tried = np.linspace(values.min(), values.max(), 5001)
        slopes = (np.abs(tried[:, None] - values) / lengths).max(axis=1)
        own = (np.abs(restored[y, x] - values) / lengths).max()
        assert own <= slopes.min() + 0.02


def test_amle_has_come_to_rest_in_a_large_hole():
    mask = observe(data.camera(), np.s_[150:250, 180:280]).mask
    restored = restore("amle", data.camera(), mask)
    further = restored.copy()
    _extend(further, np.argwhere(mask), *_stencil(1), 0.0, 1000)
    assert np.abs(further - restored).max() < 1


def test_amle_restores_a_cone_that_harmonic_does_not():
    y, x = np.mgrid[:60, :64]
    cone = np.rint(257 * 3 * np.hypot(y - 26.0, x - 14.0)).astype(np.uint16)
    mask = observe(cone, BOX).mask
    errors = {
        name: np.abs(restore(name, cone, mask) / 257.0 - cone / 257.0)[mask].max()
        for name in ("amle:radius=4", "harmonic")
    }
    assert errors["amle:radius=4"] < 0.3
    assert errors["harmonic"] > 3 * errors["amle:radius=4"]


PAPERS = "coherence-transport:epsilon=5:kappa=25:sigma=1.4:rho=4"


@pytest.mark.parametrize(("name", "part"), [("coherence-transport", 0.5), (PAPERS, 0.35)])
@pytest.mark.parametrize("slope", [1.0, -0.5])
def test_coherence_transport_continues_a_stripe_that_harmonic_loses(slope, name, part):
    y, x = np.mgrid[:70, :80]
    distance = np.abs((y - 35) - slope * (x - 40)) / np.hypot(1, slope)
    stripe = np.rint(40 + 170 / (1 + np.exp(2 * (distance - 4)))).astype(np.uint8)
    mask = observe(stripe, np.s_[27:44, 31:50]).mask
    errors = [
        np.abs(restore(each, stripe, mask) - stripe)[mask].mean() for each in (name, "harmonic")
    ]
    assert errors[0] < part * errors[1]


def test_coherence_transports_first_layer_is_the_papers_formula(observation):
    """The pixels that touch known ones, whose whole neighbourhood is known beforehand."""
    epsilon, kappa, sigma, rho = 4.0, 20.0, 1.0, 2.0
    made = f"coherence-transport:epsilon={epsilon}:kappa={kappa}:sigma={sigma}:rho={rho}"
    restored = restore(made, observation.image, observation.mask)
    image, known = observation.image.astype(float), ~observation.mask

    def smooth(values, deviation):
        return gaussian_filter(values, deviation, radius=3 * int(deviation), mode="constant")

    with np.errstate(invalid="ignore"):
        slopes = np.gradient(smooth(image, sigma) / smooth(known.astype(float), sigma))
    slopes = [np.where(known, slope, 0) for slope in slopes]
    tensor = np.array([[smooth(a * b, rho) for a in slopes] for b in slopes])
    tensor /= smooth(known.astype(float), rho)
    places = np.argwhere(known)
    for y, x in np.argwhere(observation.mask & (distance_transform_edt(~known) == 1)):
        values, vectors = np.linalg.eigh(tensor[:, :, y, x])
        mu = 1 + kappa * np.exp(-1 / (values[1] - values[0]) ** 2)
        here = np.array([y, x])
        offsets = places - here
        lengths = np.linalg.norm(offsets, axis=1)
        offsets, lengths = offsets[lengths <= epsilon], lengths[lengths <= epsilon]
        across = offsets @ vectors[:, 1]
        weights = np.exp(-((mu * across / epsilon) ** 2) / 2) / lengths
        near = image[tuple((offsets + here).T)]
        assert restored[y, x] == pytest.approx((weights * near).sum() / weights.sum())


@pytest.fixture
def crop():
    """A photograph with several holes: in the middle, at the border, speckles."""
    image = data.camera()[100:160, 200:270].copy()
    return image, irregular(image.shape, 3)


@pytest.mark.parametrize("name", FAMILY)
def test_sixteen_bits_are_eight_bits_scaled(name, crop):
    image, mask = crop
    deep = restore(name, image.astype(np.uint16) * 257, mask) / 257
    np.testing.assert_allclose(deep, restore(name, image, mask), atol=0.01)


@pytest.mark.parametrize("name", FAMILY)
def test_the_answer_is_within_the_known_pixels_range(name, crop):
    image, mask = crop
    restored = restore(name, image, mask)
    known = image[~mask]
    assert known.min() - 1e-6 <= restored.min() <= restored.max() <= known.max() + 1e-6


@pytest.mark.parametrize("name", FAMILY)
def test_channels_are_restored_apart(name):
    image = data.astronaut()[100:150, 100:160]
    mask = irregular(image.shape[:2], 5)
    restored = restore(name, image, mask)
    for c in range(3):
        single = restore(name, np.ascontiguousarray(image[..., c]), mask)
        np.testing.assert_allclose(restored[..., c], single, atol=1e-9)


@pytest.mark.parametrize("name", FAMILY)
@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(0, 1000),
    st.sampled_from([0.2, 0.6, 0.95]),
)
@settings(max_examples=25)
def test_tiny_flat_pictures_of_any_shape_stay_flat(name, height, width, seed, hidden):
    mask = np.random.default_rng(seed).random((height, width)) < hidden
    if mask.all():
        mask[0, 0] = False
    image = np.full(mask.shape, 77, np.uint8)
    np.testing.assert_allclose(restore(name, image, mask), 77, atol=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "thin-plate:margin=0",
        "thin-plate:smoothing=-1",
        "total-variation:tolerance=0",
        "total-variation:step=nan",
        "total-variation:iterations=0",
        "amle:radius=0",
        "amle:tolerance=nan",
        "amle:sweeps=0",
        "coherence-transport:epsilon=0.5",
        "coherence-transport:kappa=-1",
        "coherence-transport:kappa=1e300",
        "coherence-transport:sigma=0",
    ],
)
def test_wrong_parameters_are_refused(text):
    from inpaintbench.datasets import InputError

    with pytest.raises(InputError, match="must be"):
        parse_method(text)
