"""Training learns, is resumed after a kill, and keeps validation photographs apart."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from conftest import inpaintbench_here
from PIL import Image
from scipy import ndimage
from skimage import data
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import DataLoader

from inpaintbench.datasets import InputError
from inpaintbench.datasets.files import HALF_WRITTEN, folder_for_one
from inpaintbench.datasets.images import Skipped
from inpaintbench.methods import find_method, parse_method
from inpaintbench.methods.context_encoder import ContextEncoder
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.networks import windows
from inpaintbench.methods.networks.crops import Crops, EpochSampler
from inpaintbench.methods.networks.residual_unet import ResidualUNet
from inpaintbench.methods.networks.restorer import hidden_mse
from inpaintbench.methods.networks.training import Settings, Trainee, _card, train
from inpaintbench.methods.networks.weights import save_weights
from inpaintbench.methods.networks.window_method import WindowMethod
from inpaintbench.methods.photographs import is_held_out, read_split, shares
from inpaintbench.methods.training_pictures import training_pictures
from inpaintbench.methods.weights import SHIPPED, read_card, write_weights


class Tiny(WindowMethod):
    """A network that trains in a second, and can grow."""

    name = "tiny"
    depth: int = 1

    def build(self):
        return ResidualUNet((8, 16), (self.depth, self.depth))


OPTIONS = ["--images", "skimage", "--device", "cpu", "--workers", "0"]
OPTIONS += ["--batch", "32", "--epoch", "64"]
SMALL = ["train", "cnn:size=small", *OPTIONS]
# One network without and one with randomness of its own: dropout.
NETWORKS = {
    "cnn-small": SMALL,
    "denoising-autoencoder": ["train", "denoising-autoencoder", *OPTIONS],
}
ENVIRONMENT = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
# Imports once what takes seconds, and forks for every line: a program, its arguments, its stderr.
SERVER = """
import json, os, signal, sys
from inpaintbench.benchmarks.app import main
from inpaintbench.methods.networks.checkpoints import WholeCheckpoints
signal.signal(signal.SIGINT, signal.default_int_handler)
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        program, sys.argv, errors = json.loads(line)
        os.dup2(os.open(errors, os.O_CREAT | os.O_WRONLY), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        exec(program)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def short(crops, **changes):
    return Settings(crops=crops, **{"batch": 16, "epoch_crops": 320, "workers": 0} | changes)


FAST = short(1280, learning_rate=3e-3)


def tiny(folder, settings, depth=1, **arguments):
    method = Tiny(depth=depth, device="cpu")
    return train(method, ["skimage"], folder, settings, **arguments)


@pytest.fixture(scope="module")
def server():
    """Give the process that forks."""
    command = [sys.executable, "-c", SERVER]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=ENVIRONMENT, **pipes) as process:
        yield process
        process.kill()


def started(server, program, arguments, errors):
    """Run a program in a process of its own: give its number."""
    order = [program, ["inpaintbench", *map(str, arguments)], str(errors)]
    print(json.dumps(order), file=server.stdin, flush=True)
    return int(server.stdout.readline())


def ended(server):
    """Wait for the program: give its exit status."""
    return int(server.stdout.readline())


def command(folder, *more, network=SMALL):
    return inpaintbench_here(*network, "--out", folder, *more, cwd=folder.parent)


def history(folder):
    return pd.read_csv(folder / "history.csv").drop(columns="minutes")


def tensors(path):
    """Give all tensors of a checkpoint's state, or of weights."""
    if path.suffix == ".safetensors":
        return safetensors.torch.load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)["state_dict"]


def assert_same_weights(first, second):
    first, second = tensors(first), tensors(second)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    return folder, tiny(folder, FAST)


def test_training_learns(trained):
    folder, card = trained
    table = pd.read_csv(folder / "history.csv")
    pictures, _ = read_split(["skimage"], Skipped())
    shown, truth, mask = next(iter(DataLoader(Crops(pictures, seed=9), 200, sampler=range(200))))
    last = Trainee(Tiny(device="cpu"), FAST, pictures, pictures)  # which need not be the best
    last.load_state_dict(tensors(folder / "last.ckpt"))
    with torch.inference_mode():
        learned = last.network(shown, mask)
    before, after = (hidden_mse(output, truth, mask).mean() for output in (shown, learned))
    assert after < 0.99 * before  # untrained, it leaves the harmonic fill just as it is
    assert card["validation_mse"] == pytest.approx(table["validation_mse"].min(), abs=0.06)
    assert table["crops"].tolist() == [320 * (n + 1) for n in range(4)]
    assert table["minutes"].is_monotonic_increasing
    assert card["crops_seen"] == 1280


def test_training_leaves_weights_and_card(trained, observation):
    folder, card = trained
    stored = read_card(folder / "tiny.safetensors")
    assert stored.items() >= card.items()
    assert stored["photographs"] == ["skimage"]
    assert stored["photographs_trained_on"] + stored["photographs_held_out"] == 17
    assert stored["training_pictures"]["count"] == stored["photographs_trained_on"]
    method = Tiny(weights=str(folder / "tiny.safetensors"))
    assert training_pictures(method)[1] == ""
    assert method.weights_sha256() == stored["sha256"]
    assert np.isfinite(method.restore(observation)).all()


def test_a_card_names_the_device_of_the_training():
    """Lightning has taken the network from it by then."""
    trainee = Trainee(Tiny(device="cpu"), short(16), [data.camera()], [data.moon()])
    trainee.history = [{"crops": 16.0, "validation_mse": 500.0}]
    assert _card(Tiny(), ["skimage"], trainee, None, "cuda:1")["device"] == "cuda:1"


def test_a_card_counts_all_trainings_before_this_one(tmp_path):
    start = tmp_path / "start.safetensors"
    known = {"method": "tiny", "crops_seen": 100, "minutes": 10.0, "minutes_before": 5.5}
    write_weights(b"", start, known)
    trainee = Trainee(Tiny(device="cpu"), short(16), [data.camera()], [data.moon()])
    trainee.history = [{"crops": 16.0, "validation_mse": 500.0}]
    trainee.seconds = 90.0
    card = _card(Tiny(), ["skimage"], trainee, start, "cpu")
    assert (card["crops_seen"], card["minutes"], card["minutes_before"]) == (116, 1.5, 15.5)


def test_training_leaves_records(trained):
    folder, _ = trained
    assert Image.open(folder / "loss.png").size[0] > 400
    samples = Image.open(folder / "samples.png")
    assert samples.mode == "L"
    assert samples.size == (4 * 128, 3 * 128)  # four photographs are held out
    settings = tomllib.loads((folder / "settings.toml").read_text())
    given = {key: settings.pop(key) for key in ("method", "images", "start")}
    assert given == {"method": Tiny(device="cpu").label, "images": ["skimage"], "start": ""}
    assert Settings(**settings) == FAST


def test_tensorboard_shows_what_the_history_says(trained):
    folder, _ = trained
    log = EventAccumulator(str(folder / "tensorboard"), {"images": 0, "scalars": 0})
    log.Reload()
    table = pd.read_csv(folder / "history.csv")
    for column in ("train_mse", "validation_mse", "learning_rate", "crops"):
        values = [event.value for event in log.Scalars(column)]
        assert values == pytest.approx(table[column].tolist(), rel=1e-6)
    last = Image.open(io.BytesIO(log.Images("samples")[-1].encoded_image_string))
    assert np.array_equal(last.convert("L"), Image.open(folder / "samples.png"))


def test_the_best_checkpoint_is_kept(trained):
    folder, _ = trained
    kept = tensors(folder / "best.ckpt")
    for name, value in tensors(folder / "tiny.safetensors").items():
        before = kept[f"network.{name}"]
        assert torch.isfinite(value).all()
        if name == "doubt.weight":  # calibrated after that: all stretched alike
            stretch = (value.float() * before).sum() / before.square().sum()
            torch.testing.assert_close(value.float(), stretch * before, rtol=2e-3, atol=1e-6)
        elif "doubt" not in name:
            assert torch.equal(value, before.half())


def test_the_same_seed_gives_the_same_curve(tmp_path):
    for name, changes in (("alone", {}), ("workers", {"workers": 2}), ("other", {"seed": 1})):
        tiny(tmp_path / name, short(64, epoch_crops=32, **changes))
    alone, workers, other = (history(tmp_path / name) for name in ("alone", "workers", "other"))
    pd.testing.assert_frame_equal(workers, alone, check_exact=True)
    assert_same_weights(
        tmp_path / "workers" / "tiny.safetensors", tmp_path / "alone" / "tiny.safetensors"
    )
    assert other["train_mse"][0] != alone["train_mse"][0]


def test_trainings_of_all_seeds_are_validated_by_the_same_crops():
    pictures = [data.camera(), data.moon()]
    method = Tiny(device="cpu")
    one, other = (Trainee(method, short(16, seed=seed), pictures, pictures) for seed in (0, 1))
    for held_out, again in zip(one.held_out[1], other.held_out[1], strict=True):
        assert torch.equal(held_out, again)
    assert not torch.equal(one.shown[1][0], other.shown[1][0])


@pytest.mark.parametrize("name", ["adam", "sgd", "adagrad"])
def test_another_optimizer_trains_and_is_kept_to(tmp_path, name):
    tiny(tmp_path, short(16, epoch_crops=16, optimizer=name))
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["optimizer_states"][0]
    (group,) = state["param_groups"]
    assert group["weight_decay"] == 0
    assert {"adam": "betas", "sgd": "momentum", "adagrad": "lr_decay"}[name] in group
    with pytest.raises(InputError, match=f"made with optimizer = '{name}', not 'adamw'; give"):
        tiny(tmp_path, short(640, epoch_crops=16), resume=True)


def test_the_learning_rate_warms_up_and_falls_along_a_cosine(tmp_path):
    """Four updates, each an epoch; the share that is over is that before the update."""
    tiny(tmp_path, short(64, epoch_crops=16, learning_rate=2e-3, warm_up=0.6))
    over = np.arange(4) / 4
    warm = np.minimum((over + 1e-3) / 0.6, 1)
    expected = 2e-3 * warm * (1 + np.cos(np.pi * over)) / 2
    assert history(tmp_path)["learning_rate"].tolist() == pytest.approx(expected.tolist())


def test_a_network_learns_from_a_teacher(tmp_path):
    label = "context-encoder:symmetries=false"  # far from the truth
    once = {"epoch_crops": 640, "learning_rate": 3e-3, "teacher_share": 1.0}
    tiny(tmp_path / "alone", short(640, **once))
    card = tiny(tmp_path / "taught", short(640, **once, teacher=label))
    assert card["settings"]["teacher"] == label
    teacher = parse_method(label)
    alone, taught = (
        Tiny(device="cpu", weights=str(tmp_path / name / "tiny.safetensors"))
        for name in ("alone", "taught")
    )
    inherited, _ = training_pictures(teacher)
    assert set(inherited) < set(training_pictures(taught)[0])
    pictures, _ = read_split(["skimage"], Skipped())
    shown, _, mask = next(iter(DataLoader(Crops(pictures, seed=9), 64, sampler=range(64))))
    right = teacher.output(shown, mask)
    apart = [
        hidden_mse(student.output(shown, mask), right, mask).mean() for student in (alone, taught)
    ]
    assert apart[1] < 0.8 * apart[0]


@pytest.mark.parametrize(
    ("name", "student"),
    [
        *((name, "course-cnn") for name in ("mean", "gaussian", "grid-cnn", "center-pixel-cnn")),
        ("scratches-cnn", "grid-cnn"),  # all shown whole pictures, but not the same
        ("espcn", "border-cnn"),
        ("pixelnet", "pixelnet:patch=9"),
    ],
)
def test_a_teacher_is_a_network_that_is_shown_the_same(tmp_path, name, student):
    with pytest.raises(
        InputError, match=f"{name} cannot teach {student}.*network that is shown the same"
    ):
        train(parse_method(student), ["skimage"], tmp_path / "a", short(16, teacher=name))
    assert not (tmp_path / "a").exists()


def test_a_finished_folder_is_not_overwritten_and_resume_needs_one(trained, tmp_path):
    folder, _ = trained
    with pytest.raises(InputError, match="add --resume"):
        tiny(folder, short(320))
    with pytest.raises(InputError, match="made with method = 'tiny', not 'cnn'"):
        train(find_method("cnn")(), ["skimage"], folder, short(320), resume=True)
    (tmp_path / "last.ckpt").write_bytes(b"damaged")
    with pytest.raises(InputError, match="is damaged"):
        tiny(tmp_path, short(320), resume=True)
    (tmp_path / "last.ckpt").unlink()
    with pytest.raises(InputError, match="leave --resume out"):
        tiny(tmp_path, short(320), resume=True)
    assert not list(tmp_path.iterdir())


def test_a_resumed_training_has_the_same_teacher(tmp_path):
    teacher = tmp_path / "teacher.safetensors"
    network = ContextEncoder(device="cpu").build()
    save_weights(network, teacher, {})
    settings = short(16, epoch_crops=16, teacher=f"context-encoder:weights={teacher}")
    card = tiny(tmp_path / "out", settings)
    assert card["teacher_sha256"] == read_card(teacher)["sha256"]
    for parameter in network.parameters():
        parameter.data += 1
    save_weights(network, teacher, {})
    with pytest.raises(InputError, match=r"was made with teacher_sha256 = .*give the same again"):
        tiny(tmp_path / "out", replace(settings, crops=32), resume=True)


def settings_of(folder):
    return (folder / "settings.toml").read_text()


def test_what_is_resumed_is_given_the_same_again(trained, tmp_path):
    folder = shutil.copytree(trained[0], tmp_path / "copy")
    before = settings_of(folder)
    for changes in ({"seed": 1}, {"batch": 32}, {"epoch_crops": 160}, {"patience": 1}):
        (key,) = changes
        with pytest.raises(InputError, match=f"was made with {key} = .*give the same again"):
            tiny(folder, short(1600, **{"learning_rate": 3e-3} | changes), resume=True)
    with pytest.raises(InputError, match="was made with start = ''"):
        tiny(folder, FAST, resume=True, start=folder / "tiny.safetensors")
    with pytest.raises(InputError, match=r"was made with images = \['skimage'\]"):
        train(Tiny(device="cpu"), ["other"], folder, FAST, resume=True)
    with pytest.raises(InputError, match="is of a network with other layers, such as network"):
        tiny(folder, FAST, depth=2, resume=True)
    (folder / "best.ckpt").unlink()
    with pytest.raises(InputError, match=r"best.ckpt is damaged or missing: .*train anew"):
        tiny(folder, FAST, resume=True)
    assert settings_of(folder) == before


def test_what_is_resumed_has_the_same_photographs(tmp_path):
    def pictures(first, last):
        for number in range(first, last):
            Image.fromarray(np.roll(data.camera(), number)).save(tmp_path / f"{number}.png")

    pictures(0, 3)
    train(Tiny(device="cpu"), [str(tmp_path)], tmp_path / "out", short(16))
    pictures(3, 5)
    with pytest.raises(InputError, match="made with 2 photographs to train on and 1 held out"):
        train(Tiny(device="cpu"), [str(tmp_path)], tmp_path / "out", short(32), resume=True)


def test_a_strangers_checkpoint_runs_nothing(tmp_path):
    program = b"cos\nsystem\n(S'touch %s'\ntR." % str(tmp_path / "pwned").encode()
    (tmp_path / "last.ckpt").write_bytes(program)
    with pytest.raises(InputError, match="is damaged"):
        tiny(tmp_path, short(320), resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def stop(server, network, folder, epochs, number, *more):
    """Train until some epochs are over, and send a signal: give the exit status."""
    errors = folder.with_suffix(".txt")
    process = started(server, "main()", [*network, "--out", folder, *more], errors)
    while not (folder / "last.ckpt").exists() or len(history(folder)) < epochs:
        os.kill(process, 0)  # is it there?
        time.sleep(0.02)
    os.kill(process, number)
    status = ended(server)
    assert "Traceback" not in errors.read_text()
    return status


# Not a whole number of epochs, and so many that a signal comes before the last on a busy machine.
BUDGET = ["--crops", "560"]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not_been(server, tmp_path, name):
    whole, stopped, moved = tmp_path / "whole", tmp_path / "stopped", tmp_path / "moved"
    network = NETWORKS[name]
    assert command(whole, *BUDGET, network=network).returncode == 0
    assert stop(server, network, stopped, 1, signal.SIGKILL, *BUDGET) == -signal.SIGKILL
    stopped.rename(moved)  # to another machine, say
    assert stop(server, network, moved, 2, signal.SIGINT, *BUDGET, "--resume") == 130
    assert read_card(moved / f"{name}.safetensors")["crops_seen"] < 560
    assert command(moved, *BUDGET, "--resume", network=network).returncode == 0
    assert history(whole)["crops"].tolist() == list(range(64, 577, 64))
    pd.testing.assert_frame_equal(history(whole), history(moved), check_exact=True)
    for file in ("last.ckpt", "best.ckpt", f"{name}.safetensors"):
        assert_same_weights(whole / file, moved / file)


def test_a_library_that_swallows_a_ctrl_c_does_not_keep_the_training_going(tmp_path, monkeypatch):
    usual, updates = ResidualUNet.loss, iter(range(1000))

    def loss(*arguments):
        if next(updates) == 25:  # of 20 an epoch, so in the second
            with contextlib.suppress(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        return usual(*arguments)

    monkeypatch.setattr(ResidualUNet, "loss", loss)
    here = signal.signal(signal.SIGINT, signal.default_int_handler)  # pytest's workers ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            tiny(tmp_path, FAST)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, here)
    assert next(updates) == 26
    assert read_card(tmp_path / "tiny.safetensors")["crops_seen"] == 320


def test_two_trainings_cannot_write_to_one_folder(tmp_path):
    with folder_for_one(tmp_path, "training"), pytest.raises(InputError, match="another training"):
        tiny(tmp_path, FAST)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_job_of_slurm_trains_as_anywhere_else(tmp_path, monkeypatch):
    """Its eight tasks are no devices; lightning would take them for some, and give up."""
    job = {"NTASKS": "8", "JOB_NAME": "train", "JOB_ID": "1", "PROCID": "0", "LOCALID": "0"}
    for name, value in (job | {"NODEID": "0"}).items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert tiny(tmp_path, short(16, epoch_crops=16))["crops_seen"] == 16


def test_the_average_of_the_weights_needs_no_second_set_of_photographs():
    trainee = Trainee(Tiny(device="cpu"), short(16), [data.camera()], [data.moon()])
    copy = deepcopy(trainee)
    assert copy.shown.pictures is trainee.shown.pictures
    assert copy.network is not trainee.network


def test_what_was_over_is_not_begun_again(trained, tmp_path):
    folder = shutil.copytree(trained[0], tmp_path / "copy")
    (folder / "tiny.safetensors").unlink()  # killed just before it was written
    tiny(folder, FAST, resume=True)
    pd.testing.assert_frame_equal(history(folder), history(trained[0]), check_exact=True)
    assert_same_weights(folder / "tiny.safetensors", trained[0] / "tiny.safetensors")


def test_it_stops_early_when_nothing_is_gained(tmp_path):
    card = tiny(tmp_path, short(32_000, epoch_crops=16, learning_rate=0.0, patience=2))
    table = history(tmp_path)
    assert len(table) == 3  # the first, and two without gain
    assert card["validation_mse"] == pytest.approx(table["validation_mse"].min(), abs=0.06)
    assert (tmp_path / "tiny.safetensors").exists()
    seen = [
        torch.load(tmp_path / name, map_location="cpu", weights_only=True)["crops_seen"]
        for name in ("best.ckpt", "last.ckpt")
    ]
    assert seen == [16, 48]  # the last is renewed although it is no better
    (tmp_path / "tiny.safetensors").unlink()  # killed just before it was written
    tiny(tmp_path, short(32_000, epoch_crops=16, learning_rate=0.0, patience=2), resume=True)
    pd.testing.assert_frame_equal(history(tmp_path), table, check_exact=True)
    assert (tmp_path / "tiny.safetensors").exists()


def test_a_loss_that_is_not_finite_loses_nothing(tmp_path):
    tiny(tmp_path, short(64, epoch_crops=32))
    before = (tmp_path / "last.ckpt").read_bytes()
    (tmp_path / "tiny.safetensors").unlink()
    with pytest.raises(InputError, match=r"the loss became nan after 80 crops; .*--learning-rate"):
        tiny(tmp_path, short(128, epoch_crops=32, learning_rate=1e30), resume=True)
    assert (tmp_path / "last.ckpt").read_bytes() == before
    assert read_card(tmp_path / "tiny.safetensors")["crops_seen"] == 64
    card = tiny(tmp_path, short(128, epoch_crops=32), resume=True)
    assert card["crops_seen"] == 128
    assert np.isfinite(history(tmp_path)).all(axis=None)


def test_a_loss_that_is_not_finite_in_the_first_epoch_says_to_start_again(tmp_path):
    with pytest.raises(InputError, match="start again with a lower --learning-rate"):
        tiny(tmp_path, short(640, learning_rate=1e30))


def test_a_bad_last_update_makes_no_checkpoint(tmp_path):
    with pytest.raises(InputError, match="the loss became"):
        tiny(tmp_path, short(16, epoch_crops=16, learning_rate=1e30))
    assert not (tmp_path / "last.ckpt").exists()


def test_a_full_disk_is_one_line_and_keeps_the_checkpoint_before(server, tmp_path):
    folder, errors = tmp_path / "out", tmp_path / "errors.txt"
    assert command(folder, "--crops", "64").returncode == 0
    before = (folder / "last.ckpt").read_bytes()
    limited = (
        "import resource\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4_000_000, 4_000_000))\n"
        "main()\n"
    )
    more = ["--crops", "128", "--resume"]
    started(server, limited, [*SMALL, "--out", folder, *more], errors)
    assert ended(server) == 2
    assert re.fullmatch(r"inpaintbench: cannot write .*\.ckpt: .*--resume\n", errors.read_text())
    assert (folder / "last.ckpt").read_bytes() == before
    assert not list(folder.glob(f"{HALF_WRITTEN}*"))
    assert command(folder, *more).returncode == 0


def test_a_kill_in_the_middle_of_writing_leaves_the_checkpoint_before(server, tmp_path):
    program = (
        "import torch\n"
        "for number in range(10**9):\n"
        "    state = {'state_dict': {'a': torch.full((3_000_000,), number)}}\n"
        "    WholeCheckpoints().save_checkpoint(state, sys.argv[1])\n"
    )
    for wait in (0.0, 0.02):
        path = tmp_path / f"{wait}.ckpt"
        writer = started(server, program, [path], tmp_path / "errors.txt")
        while not path.exists():
            os.kill(writer, 0)  # is it there?
        time.sleep(wait)
        os.kill(writer, signal.SIGKILL)
        assert ended(server) == -signal.SIGKILL
        assert len(tensors(path)["a"].unique()) == 1


def test_two_devices_share_the_training(tmp_path):
    budget = ["--out", str(tmp_path), "--crops", "128", "--devices", "2"]
    answer = subprocess.run(
        [sys.executable, "-m", "inpaintbench.benchmarks.app", *SMALL, *budget],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert len(answer.stdout.splitlines()) == 5  # photographs, two epochs, weights, what to try
    assert history(tmp_path)["crops"].tolist() == [64, 128]
    card = read_card(tmp_path / "cnn-small.safetensors")
    assert card["settings"]["devices"] == 2
    # One device that takes the same crops in batches of twice the size makes the same updates.
    train(
        parse_method("cnn:size=small:device=cpu"),
        ["skimage"],
        tmp_path / "one",
        Settings(crops=128, batch=64, epoch_crops=64, workers=0),
    )
    np.testing.assert_allclose(
        history(tmp_path)["validation_mse"], history(tmp_path / "one")["validation_mse"], rtol=5e-3
    )


def test_devices_share_the_crops_of_an_epoch():
    for length, devices in ((10, 2), (12, 3), (11, 4)):
        shares = [EpochSampler(length, rank, devices) for rank in range(devices)]
        for share in shares:
            share.set_epoch(2)
        seen = sorted(number for share in shares for number in share)
        whole = length // devices * devices  # each device gets as many
        assert seen == list(range(2 * length, 2 * length + whole))


def test_more_weights_start_where_fewer_were(trained, tmp_path):
    start = trained[0] / "tiny.safetensors"
    before = read_card(start)
    card = tiny(tmp_path / "grown", short(16, learning_rate=1e-30), depth=2, start=start)
    assert card["parameters"] > before["parameters"]
    assert card["validation_mse"] == pytest.approx(before["validation_mse"], rel=2e-3)
    assert card["crops_seen"] == 1280 + 16
    assert card["started_from"] == "tiny, 1280 crops"
    for name in ("course-cnn", "cnn"):  # other names, and other shapes of the same names
        with pytest.raises(InputError, match="does not hold the weights of this network"):
            tiny(tmp_path / "other", short(16), start=SHIPPED / f"{name}.safetensors")
    with pytest.raises(InputError, match="does not exist"):
        tiny(tmp_path / "other", short(16), start=tmp_path / "none.safetensors")
    bare = shutil.copy(start, tmp_path / "bare.safetensors")
    bare.with_suffix(".toml").write_text(f'sha256 = "{before["sha256"]}"')
    assert tiny(tmp_path / "bare", short(16), start=bare)["started_from"] == "bare, 0 crops"
    assert not (tmp_path / "other").exists()


def test_photographs_that_cannot_be_used_leave_no_folder(tmp_path):
    (tmp_path / "none").mkdir()
    for name, shape in (("few", (300, 300)), ("small", (40, 40))):
        (tmp_path / name).mkdir()
        for number in range(1 if name == "few" else 5):
            pixels = np.random.default_rng(number).integers(0, 256, shape, np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    for name in ("none", "few", "small", "missing"):
        with pytest.raises(InputError, match=name):
            train(Tiny(), [str(tmp_path / name)], tmp_path / "out", short(16))
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu_is_a_clear_error(tmp_path):
    with pytest.raises(InputError, match="there is no device 'cuda' here; there are cpu"):
        train(Tiny(device="cuda"), ["skimage"], tmp_path / "out", short(16))
    assert not (tmp_path / "out").exists()


def test_an_epoch_must_hold_an_update(tmp_path):
    with pytest.raises(InputError, match="an epoch of 16 crops is shorter than one update"):
        tiny(tmp_path / "out", short(320, epoch_crops=16, devices=2))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value"), [("minutes", float("nan")), ("minutes", float("inf")), ("seed", 2**32)]
)
def test_numbers_out_of_range_are_refused(tmp_path, option, value):
    with pytest.raises(InputError, match=f"--{option} must be .*, not {value}"):
        tiny(tmp_path / "out", short(16, **{option: value}))
    assert not (tmp_path / "out").exists()


class Dying(Crops):
    """Examples whose worker is killed, as by a system that is short of memory."""

    def __getitem__(self, index):
        if index >= 32 and not self.one_each:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


class Doomed(Tiny):
    name = "doomed"

    def examples(self, pictures, seed, one_each):
        return Dying(pictures, seed, one_each)


def test_a_killed_worker_loses_nothing(tmp_path):
    with pytest.raises(InputError, match=r"DataLoader worker .*--resume"):
        train(Doomed(device="cpu"), ["skimage"], tmp_path, short(320, epoch_crops=32, workers=1))
    assert read_card(tmp_path / "doomed.safetensors")["crops_seen"] == 32


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
        holes = windows.holes(mask[0].numpy() > 0)
        sides = [side.stop - side.start for hole in holes for side in hole]
        assert set(sides) <= set(range(5, 22, 2))
        assert mask.sum() == sum(a * b for a, b in zip(sides[::2], sides[1::2], strict=True))
        around = ndimage.binary_dilation(mask[0], np.ones((3, 3)), 2)  # two pixels each way
        assert len(windows.holes(around)) == len(holes)
        whole = harmonic_fill(truth[0].numpy(), mask[0].numpy() > 0)  # solved for all holes at once
        assert filled[0].numpy() == pytest.approx(whole, abs=1e-5)
        assert torch.equal(filled[mask == 0], truth[mask == 0])
        assert 0 <= truth.min() <= truth.max() <= 1
        ring = filled[mask == 0]
        assert (
            ring.min() - 1e-6
            <= filled[mask == 1].min()
            <= filled[mask == 1].max()
            <= ring.max() + 1e-6
        )


def test_training_windows_have_several_holes_and_validation_windows_the_challenges():
    pictures = [data.camera(), data.moon()] * 50
    counts = [
        len(windows.holes(Crops(pictures, 0, one_each)[number][2][0].numpy() > 0))
        for one_each in (True, False)
        for number in range(100)
    ]
    assert set(counts[:100]) == {1}
    assert 3 < np.mean(counts[100:]) < 6


def test_what_sees_the_patch_around_a_hole_is_trained_on_windows_of_one():
    shown = parse_method("denoising-autoencoder").examples([data.camera()], 0, one_each=False)
    assert {len(windows.holes(shown[number][2][0].numpy() > 0)) for number in range(50)} == {1}


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


def test_a_picture_that_is_held_out_is_not_trained_on_under_another_name(tmp_path):
    sources = [tmp_path / name for name in ("some", "same")]
    for number in range(30):
        for source in sources:
            source.mkdir(exist_ok=True)
            path = source / f"{source.name}{number}.png"  # so they are split otherwise
            Image.fromarray(np.roll(data.moon(), number)).save(path)
    skipped = Skipped()
    training, validation = read_split([str(source) for source in sources], skipped)
    contents = [{picture.tobytes() for picture in part} for part in (training, validation)]
    assert not contents[0] & contents[1]
    assert {reason for _, reason in skipped.files} == {
        "the same picture is held out under another name"
    }
    assert len(skipped) + len(training) + len(validation) == 60


def test_what_is_held_out_is_not_trained_on_though_it_is_not_validated_either(
    tmp_path, monkeypatch
):
    """Of very many held-out photographs only some are validated."""
    for name in ("some", "same"):
        (tmp_path / name).mkdir()
        for number in range(30):
            picture = np.roll(data.moon()[:80, :80], number)
            Image.fromarray(picture).save(tmp_path / name / f"{name}{number}.png")
    sources = [str(tmp_path / name) for name in ("some", "same")]
    _, every = read_split(sources, Skipped())
    monkeypatch.setattr("inpaintbench.methods.photographs.MOST_VALIDATION", 2)
    training, validation = read_split(sources, Skipped())
    assert 1 <= len(validation) <= 2 < len(every)
    held_out = {picture.tobytes() for picture in every}
    assert {picture.tobytes() for picture in validation} < held_out
    assert not held_out & {picture.tobytes() for picture in training}


def test_a_picture_is_drawn_as_often_as_its_short_side_is_long():
    sizes = [(100, 400), (300, 300, 3), (200, 250)]
    assert shares([np.zeros(size, np.uint8) for size in sizes]).tolist() == [1 / 6, 4 / 6, 1]


def test_one_photograph_is_too_few(tmp_path):
    for name in ("many", "few"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"broken-{name}.png").write_bytes(b"")
        Image.fromarray(data.camera()).save(tmp_path / name / "only.png")
    Image.fromarray(data.moon()).save(tmp_path / "many" / "another.png")
    words = r"few has one usable photograph, only.png; two .*; first skipped: broken-few.png: "
    with pytest.raises(InputError, match=words):
        read_split([str(tmp_path / "many"), str(tmp_path / "few")], Skipped())
