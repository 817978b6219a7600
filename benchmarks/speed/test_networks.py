"""Networks against the bare steps that nothing can do without: what feeding and handling cost.

A "times faster" of 0.95 in `table.py`'s table means 95 % of the bare speed. Both of a pair compute
the same in the same batches, with the small network of `cnn`; its weights do not matter here.
"""

import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from pytest_benchmark.fixture import BenchmarkFixture
from skimage import data
from test_pairs import timed  # type: ignore[import-not-found]  # the file beside this one
from torch.optim.swa_utils import AveragedModel

from inpaintbench.benchmarks.suite import read_suite
from inpaintbench.datasets.cases import Array, Observation
from inpaintbench.datasets.challenge import read_testset
from inpaintbench.datasets.images import BUNDLED_NAME, Skipped
from inpaintbench.methods import parse_method
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.networks import training, windows
from inpaintbench.methods.networks.network_method import BATCH, NetworkMethod, fast_bfloat16
from inpaintbench.methods.networks.weights import loaded, save_weights
from inpaintbench.methods.photographs import read_split

UPDATES = 20  # a round
CROPS = 1024
SYMMETRIES = 8


def small(weights: Path | None = None) -> NetworkMethod:
    where = f":weights={weights}" if weights else ""
    method = parse_method(f"cnn:size=small:device=cpu{where}")
    assert isinstance(method, NetworkMethod)
    return method


class Gate(Callback):
    """Lets a training that runs in another thread make so many updates, and waits for them."""

    def __init__(self) -> None:
        self.allowed, self.made = threading.Semaphore(0), threading.Semaphore(0)
        self.over = False

    def on_train_batch_start(self, trainer: Any, *_: Any) -> None:
        self.allowed.acquire()
        if self.over:
            trainer.should_stop = True

    def on_train_batch_end(self, *_: Any) -> None:
        self.made.release()

    def updates(self, count: int) -> None:
        self.allowed.release(count)
        for _ in range(count):
            self.made.acquire()


@pytest.fixture
def trainee() -> training.Trainee:
    settings = training.Settings(epoch_crops=10**6)
    return training.Trainee(small(), settings, *read_split([BUNDLED_NAME], Skipped()))


@pytest.fixture
def fed(trainee: training.Trainee, tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Twenty updates of a real training."""
    gate = Gate()
    trainer = training._trainer(trainee.settings, tmp_path, "cpu", gate)
    trainer.limit_val_batches = 0
    thread = threading.Thread(target=lambda: trainer.fit(trainee), daemon=True)
    thread.start()
    yield lambda: gate.updates(UPDATES)
    gate.over = True
    gate.allowed.release(UPDATES)
    thread.join()


@pytest.fixture
def bare(trainee: training.Trainee) -> Callable[[], None]:
    """Twenty updates on one batch that lies in memory, without lightning."""
    settings, network = trainee.settings, trainee.network
    crops = [trainee.shown[number] for number in range(settings.batch)]
    filled, truth, mask = (torch.stack(part) for part in zip(*crops, strict=True))
    optimizer = trainee.configure_optimizers()
    average = AveragedModel(network, avg_fn=training.averaging(settings.average_decay))

    def update() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16("cpu")):
            loss = network.loss(network(filled, mask), truth, mask)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_norm)
        optimizer.step()
        average.update_parameters(network)

    def updates() -> None:
        for _ in range(UPDATES):
            update()

    return updates


@pytest.mark.parametrize("side", ["fed", "bare"])
def test_feeding(benchmark: BenchmarkFixture, request: pytest.FixtureRequest, side: str) -> None:
    lightning.seed_everything(0, verbose=False)
    training._quieten()
    timed(
        benchmark,
        "training cnn:size=small",
        "ours" if side == "fed" else "the same updates on one batch in memory",
        UPDATES * training.Settings().batch,
        request.getfixturevalue(side),
        answer="not compared",
    )


@pytest.fixture(scope="module")
def testset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A challenge test set, as a file."""
    cases = read_suite("crop").model_copy(update={"cases": CROPS}).draw(Skipped())
    boxes = [case.observation.hidden_box for case in cases]
    content = {
        "images": [case.observation.image for case in cases],
        "crop_sizes": [tuple(side.stop - side.start for side in box) for box in boxes],
        "crop_centers": [tuple((side.start + side.stop) // 2 for side in box) for box in boxes],
    }
    path: Path = tmp_path_factory.mktemp("testset") / "testset.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


@pytest.fixture(scope="module")
def method(tmp_path_factory: pytest.TempPathFactory) -> NetworkMethod:
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(small().build(), path, {})
    return small(path)


def bare_passes(testset: Path, method: NetworkMethod) -> Callable[[], list[torch.Tensor]]:
    """Make all passes through the network on windows that lie in memory, every way round."""
    pixels, masks = [], []
    for observation in read_testset(testset):
        filled = harmonic_fill(observation.image / 255, observation.mask)
        (hole,) = windows.holes(observation.mask)
        window = windows.cut(filled, observation.mask, hole)
        pixels.append(window.pixels)
        masks.append(window.mask)
    stacked = [
        torch.from_numpy(np.stack(part).astype(np.float32)).unsqueeze(1) for part in (pixels, masks)
    ]
    batches = [[part[i : i + BATCH] for part in stacked] for i in range(0, CROPS, BATCH)]
    network = loaded(method, "cpu")

    def passes() -> list[torch.Tensor]:
        quick = torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16("cpu"))
        with torch.inference_mode(), quick:
            return [network(*batch) for batch in batches for _ in range(SYMMETRIES)]

    return passes


def predictions(testset: Path, method: NetworkMethod) -> list[Array]:
    """Restore a test set, from the file on."""
    return method.predict_batch(read_testset(testset))


@pytest.mark.parametrize("side", ["ours", "bare"])
def test_restoring(
    benchmark: BenchmarkFixture, testset: Path, method: NetworkMethod, side: str
) -> None:
    timed(
        benchmark,
        "cnn:size=small, from the test set's file to predictions",
        "ours" if side == "ours" else "the network's passes alone",
        CROPS,
        (lambda: predictions(testset, method)) if side == "ours" else bare_passes(testset, method),
        answer="not compared",
    )


@pytest.mark.benchmark(group="a photograph of 512x512 to 1024x1024")
@pytest.mark.parametrize("threads", [1, 2])
def test_enlarge(benchmark: BenchmarkFixture, threads: int) -> None:
    """Enlarge a whole grey photograph by the network for that."""
    method = parse_method("espcn:device=cpu")
    photograph = Observation(data.camera(), np.ones((1024, 1024), bool))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert benchmark(method.restore, photograph).shape == (1024, 1024)
    finally:
        torch.set_num_threads(before)
