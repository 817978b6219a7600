"""An exported network gives the same pictures without torch."""

import sys

import numpy as np
import onnxruntime
import pytest
import torch
from conftest import observe
from skimage import data
from test_networks import NETWORKS

from inpaintbench.benchmarks.app import export as export_command
from inpaintbench.datasets import InputError
from inpaintbench.methods import parse_method
from inpaintbench.methods.course_cnn import CourseCnn
from inpaintbench.methods.harmonic import harmonic_fill
from inpaintbench.methods.networks import windows
from inpaintbench.methods.networks.course_net import CourseNet
from inpaintbench.methods.networks.export import export
from inpaintbench.methods.networks.residual_unet import small
from inpaintbench.methods.networks.weights import load_weights, save_weights


@pytest.fixture
def exported(tmp_path, capsys):
    """A network with weights that do something, exported by the command."""
    torch.manual_seed(0)
    network = small()
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    save_weights(network, tmp_path / "w.safetensors", {})
    method = f"cnn:size=small:symmetries=false:weights={tmp_path / 'w.safetensors'}"
    export_command(method, tmp_path / "deeper" / "w.onnx")
    assert "onnxruntime's pictures are torch's" in capsys.readouterr().out
    return parse_method(method), tmp_path / "deeper" / "w.onnx"


def test_onnxruntime_restores_as_the_method_does(exported):
    method, path = exported
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(i.name, i.type, i.shape[1:]) for i in session.get_inputs()] == [
        ("filled", "tensor(float)", [1, 64, 64]),
        ("mask", "tensor(float)", [1, 64, 64]),
    ]
    pixels = data.camera()
    corners = [(40 * k, 50 * k) for k in range(7)]
    several = [
        observe(pixels[y : y + 80, x : x + 90], (slice(30, 41), slice(30 + k, 51)))
        for k, (y, x) in enumerate(corners)
    ]
    cuts = [
        windows.cut(harmonic_fill(o.image / 255, o.mask), o.mask, windows.holes(o.mask)[0])
        for o in several
    ]
    inputs = {
        "filled": np.stack([c.pixels for c in cuts])[:, None].astype(np.float32),
        "mask": np.stack([c.mask for c in cuts])[:, None].astype(np.float32),
    }
    (found,) = session.run(None, inputs)
    assert found.shape == (7, 2, 64, 64)
    filled, mask = (torch.from_numpy(inputs[name]) for name in ("filled", "mask"))
    network = method.build()
    load_weights(network, method.weights_path)
    with torch.inference_mode():
        expected = network(filled, mask).numpy()
    assert np.abs(expected[:, :1] - inputs["filled"]).max() > 0.01  # the network does something
    np.testing.assert_allclose(found[:, :1], expected[:, :1], rtol=0, atol=1e-4)
    (alone,) = session.run(None, {name: value[3:4] for name, value in inputs.items()})
    np.testing.assert_allclose(alone, found[3:4], rtol=0, atol=1e-4)


@pytest.mark.parametrize("label", NETWORKS)
def test_every_network_for_windows_can_be_exported(tmp_path, label):
    assert export(parse_method(f"{label}:device=cpu"), tmp_path / "n.onnx") < 1e-4


class StrangeNet(CourseNet):
    def forward(self, filled, mask):
        return super().forward(filled, mask) + torch.special.bessel_j0(filled)


class Strange(CourseCnn):
    name = "strange"
    weights_name = "course-cnn"

    def build(self):
        return StrangeNet()


def test_what_onnx_does_not_know_is_named(tmp_path):
    with pytest.raises(InputError, match=r"strange.* cannot be written as ONNX: .*bessel"):
        export(Strange(device="cpu"), tmp_path / "n.onnx")
    assert not list(tmp_path.iterdir())


def test_what_is_no_network_cannot_be_exported(tmp_path):
    with pytest.raises(InputError, match="telea does not work on windows of 64x64"):
        export_command("telea", tmp_path / "t.onnx")


def test_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not there
    with pytest.raises(InputError, match="onnxruntime is not installed; pip install"):
        export(parse_method("course-cnn"), tmp_path / "c.onnx")
    assert not list(tmp_path.iterdir())
