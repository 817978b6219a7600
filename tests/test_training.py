"""Training learns, is resumed after a kill, and keeps validation photographs apart."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from skimage import data

from inpaintbench.datasets import InputError
from inpaintbench.datasets.images import Skipped
from inpaintbench.methods import find_method, parse_method
from inpaintbench.methods.networks.crops import Crops, EpochSampler
from inpaintbench.methods.networks.training import Settings, train
from inpaintbench.methods.photographs import is_held_out, read_split
from inpaintbench.methods.weights import read_card


def short(seconds, **changes):
    return Settings(minutes=seconds / 60, batch=16, epoch_crops=320, workers=0, **changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    card = train(find_method("course-cnn"), ["skimage"], folder, short(15), device="cpu")
    return folder, card


def test_training_learns(trained):
    folder, card = trained
    history = pd.read_csv(folder / "history.csv")
    assert history["train_mse"].iloc[-1] < 0.8 * history["train_mse"].iloc[0]
    assert card["validation_mse"] == pytest.approx(history["validation_mse"].min(), abs=0.06)
    assert history["crops"].is_monotonic_increasing


def test_training_leaves_weights_card_and_loss_curve(trained, observation):
    folder, card = trained
    assert Image.open(folder / "loss.png").size[0] > 400
    stored = read_card(folder / "course-cnn.safetensors")
    assert stored.items() >= card.items()
    assert stored["photographs"] == ["skimage"]
    assert stored["photographs_trained_on"] + stored["photographs_held_out"] == 17
    method = parse_method(f"course-cnn:weights={folder / 'course-cnn.safetensors'}")
    assert method.weights_sha256() == stored["sha256"]
    assert np.isfinite(method.restore(observation)).all()


def test_the_best_checkpoint_is_kept(trained):
    folder, _ = trained
    weights = folder / "course-cnn.safetensors"
    method = parse_method(f"course-cnn:weights={weights}")
    kept = torch.load(folder / "best.ckpt", map_location="cpu", weights_only=False)["state_dict"]
    from inpaintbench.methods.networks.weights import load_weights

    network = method.build()
    load_weights(network, weights)
    for name, value in network.state_dict().items():
        assert torch.equal(value, kept[f"network.{name}"].half().float())


def test_a_finished_folder_is_not_overwritten_and_resume_needs_one(trained, tmp_path):
    folder, _ = trained
    with pytest.raises(InputError, match="add --resume"):
        train(find_method("course-cnn"), ["skimage"], folder, short(5))
    with pytest.raises(InputError, match="is of the network course-cnn, not cnn"):
        train(find_method("cnn"), ["skimage"], folder, short(5), resume=True)
    (tmp_path / "last.ckpt").write_bytes(b"damaged")
    with pytest.raises(InputError, match="is damaged"):
        train(find_method("cnn"), ["skimage"], tmp_path, short(5), resume=True)
    (tmp_path / "last.ckpt").unlink()
    with pytest.raises(InputError, match="leave --resume out"):
        train(find_method("course-cnn"), ["skimage"], tmp_path, short(5), resume=True)


def test_a_strangers_checkpoint_runs_nothing(tmp_path):
    program = b"cos\nsystem\n(S'touch %s'\ntR." % str(tmp_path / "pwned").encode()
    (tmp_path / "last.ckpt").write_bytes(program)
    with pytest.raises(InputError, match="is damaged"):
        train(find_method("cnn"), ["skimage"], tmp_path, short(5), resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_training_goes_on_after_a_kill(tmp_path):
    command = [sys.executable, "-m", "inpaintbench.benchmarks.app", "train", "course-cnn"]
    command += ["--images", "skimage", "--epoch", "128", "--workers", "0", "--out", str(tmp_path)]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    killed = subprocess.Popen([*command, "--minutes", "10"], env=environment)
    deadline = time.monotonic() + 120
    while not (tmp_path / "last.ckpt").exists() or not (tmp_path / "history.csv").exists():
        assert time.monotonic() < deadline
        assert killed.poll() is None
        time.sleep(0.2)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = torch.load(tmp_path / "last.ckpt", map_location="cpu", weights_only=False)
    minutes = before["seconds"] / 60 + 0.1
    subprocess.run([*command, "--minutes", str(minutes), "--resume"], env=environment, check=True)
    history = pd.read_csv(tmp_path / "history.csv").to_dict("records")
    done = len(before["history"])
    for after, kept in zip(history[:done], before["history"], strict=True):
        assert after == pytest.approx(kept)
    assert len(history) > done
    assert history[done]["crops"] == before["history"][-1]["crops"] + 128  # no crop twice
    assert (tmp_path / "course-cnn.safetensors").exists()


def test_a_crop_depends_on_seed_and_number_alone():
    pictures = [data.camera(), data.moon()]
    first, second = Crops(pictures, 1)[7], Crops(pictures, 1)[7]
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert not torch.equal(first[0], Crops(pictures, 2)[7][0])
    assert not torch.equal(first[0], Crops(pictures, 1)[8][0])


def test_a_crop_is_filled_where_it_is_hidden_and_true_elsewhere():
    crops = Crops([data.camera(), data.moon().astype(np.uint16) * 257], 0)
    for number in range(20):
        filled, truth, mask = crops[number]
        assert filled.shape == truth.shape == mask.shape == (1, 64, 64)
        assert 25 <= mask.sum() <= 441
        assert torch.equal(filled[mask == 0], truth[mask == 0])
        assert 0 <= truth.min() <= truth.max() <= 1
        ring = filled[mask == 0]
        assert (
            ring.min() - 1e-6
            <= filled[mask == 1].min()
            <= filled[mask == 1].max()
            <= ring.max() + 1e-6
        )


def test_epochs_never_repeat_a_crop():
    sampler, seen = EpochSampler(10), []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        seen += list(sampler)
    assert seen == list(range(30))


def test_photographs_are_split_by_their_names(photographs):
    training, validation = read_split([str(photographs)], Skipped())
    assert len(training) + len(validation) == 4
    assert training
    assert validation
    share = np.mean([is_held_out(f"photo{n}.jpg") for n in range(20_000)])
    assert 0.09 < share < 0.11


def test_one_photograph_is_too_few(tmp_path):
    Image.fromarray(data.camera()).save(tmp_path / "only.png")
    with pytest.raises(InputError, match="no usable"):
        read_split([str(tmp_path)], Skipped())
