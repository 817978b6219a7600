"""Networks as ONNX files, for programs that have no torch."""

import warnings
from pathlib import Path

import numpy as np
import torch

from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.files import written_whole
from inpaintbench.datasets.images import BUNDLED_NAME, Skipped
from inpaintbench.methods.networks.crops import Crops
from inpaintbench.methods.networks.weights import loaded
from inpaintbench.methods.networks.window_method import WindowMethod
from inpaintbench.methods.photographs import read_split

CROPS = 8  # real crops that the exported network is checked on
CLOSE = 1e-4  # of the value range: what another order of sums may change
INPUTS = ["filled", "mask"]


def export(method: WindowMethod, path: Path) -> float:
    """Write a method's network, with its weights in float32, as an ONNX file, and check it.

    Its inputs `filled` and `mask` and its output `restored` are those of `WindowNetwork.forward`,
    for any number of windows: one pass, without the average over symmetries.

    Returns
    -------
    float
        By how much of the value range onnxruntime's pictures differ from torch's on real crops.

    Raises
    ------
    InputError
        If onnx or onnxruntime is not installed, the network does what ONNX cannot, the file cannot
        be written, or the pictures differ; nothing is written then.
    """
    try:
        import onnx  # noqa: F401  # torch needs it
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"{error.name} is not installed; pip install onnx onnxruntime, or inpaintbench[export]"
        ) from error
    network = loaded(method, "cpu")
    crops = _crops()
    with written_whole(path) as temporary:
        try:
            _write(network, crops, temporary)
        except torch.onnx.errors.OnnxExporterError as error:
            reason = str(error).partition("\n")[0]
            raise InputError(f"{method.label} cannot be written as ONNX: {reason}") from error
        difference = _difference(network, temporary, crops)
        if difference > CLOSE:
            raise InputError(f"{path} would differ from torch by {difference:.2g} of the range")
    return difference


def _write(network: torch.nn.Module, crops: tuple[torch.Tensor, torch.Tensor], path: Path) -> None:
    """Write a network for any number of windows, by its passage over the crops."""
    with warnings.catch_warnings():
        # The way through TorchScript is old, but needs no further package.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            crops,
            path,
            input_names=INPUTS,
            output_names=["restored"],
            dynamic_axes={name: {0: "windows"} for name in [*INPUTS, "restored"]},
            dynamo=False,
        )


def _crops() -> tuple[torch.Tensor, torch.Tensor]:
    """Draw challenge-style crops of the bundled photographs: filled, and masks."""
    training, _ = read_split([BUNDLED_NAME], Skipped())
    drawn = Crops(training, seed=0)
    filled, _, masks = zip(*(drawn[number] for number in range(CROPS)), strict=True)
    return torch.stack(filled), torch.stack(masks)


def _difference(
    network: torch.nn.Module, path: Path, crops: tuple[torch.Tensor, torch.Tensor]
) -> float:
    """Compare the restored pictures, in 0..1, for all crops together and for the first alone."""
    from onnxruntime import InferenceSession

    session = InferenceSession(path, providers=["CPUExecutionProvider"])
    differences = []
    for count in (CROPS, 1):
        part = [tensor[:count] for tensor in crops]
        inputs = {name: tensor.numpy() for name, tensor in zip(INPUTS, part, strict=True)}
        (found,) = session.run(None, inputs)
        with torch.inference_mode():
            expected = network(*part).numpy()
        differences.append(np.abs(found[:, :1] - expected[:, :1]).max())
    return float(max(differences))
