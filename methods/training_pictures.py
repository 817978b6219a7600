"""Fingerprints of the pictures that weights were fitted or trained on, which travel with them.

They lie in a safetensors file of 8 bytes a picture. A model card names the file, its SHA-256 and
how many fingerprints it holds, so that the cards of weights with the same pictures share one file:

    [training_pictures]
    file = "photographs.safetensors"
    sha256 = "..."
    count = 15776
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from inpaintbench.datasets.cases import Array
from inpaintbench.datasets.files import write_bytes
from inpaintbench.datasets.fingerprints import Fingerprints, fingerprints
from inpaintbench.datasets.images import grey
from inpaintbench.methods.method import Method
from inpaintbench.methods.weights import read_card

ARRAY = "fingerprints"
TABLE = "training_pictures"
NONE = np.empty(0, np.uint64)


def write_training_pictures(
    pictures: Iterable[Array], weights: Path, *before: Path
) -> dict[str, Any]:
    """Write the fingerprints of training pictures beside the weights.

    Parameters
    ----------
    pictures : grey or colour arrays of uint8 or uint16
    weights : the weights file, whose name is the other's with `-pictures` behind it
    before : weights that the training started or learned from: it inherits their pictures

    Returns
    -------
    dict
        What goes into the model card: `{"training_pictures": ...}`.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    inherited, unknown = _of_cards(before)
    known = np.union1d(fingerprints(grey(picture) for picture in pictures), inherited)
    data = safetensors.numpy.save({ARRAY: known})
    path = weights.with_name(f"{weights.stem}-pictures.safetensors")
    write_bytes(data, path)
    digest = hashlib.sha256(data).hexdigest()
    table = {"file": path.name, "sha256": digest, "count": len(known)}
    return {TABLE: table | ({"unknown": unknown} if unknown else {})}


def training_pictures(method: Method) -> tuple[Fingerprints, str]:
    """Say which pictures a method's weights were fitted or trained on.

    Returns
    -------
    known : array of uint64
        Fingerprints, sorted; empty for a method without weights.
    unknown : str
        Why not all are known: a card that does not say, a file that is missing or another than the
        card names. Empty if all are.
    """
    return _of_cards(weights for weights, _ in method.cards())


def _of_cards(weights: Iterable[Path]) -> tuple[Fingerprints, str]:
    sets = [_of_card(path) for path in weights]
    known = np.unique(np.concatenate([NONE, *(known for known, _ in sets)]))
    return known, "; ".join(reason for _, reason in sets if reason)


def _of_card(weights: Path) -> tuple[Fingerprints, str]:
    table = read_card(weights).get(TABLE)
    card = weights.with_suffix(".toml")
    if not isinstance(table, dict) or not {"file", "sha256"} <= set(table):
        return NONE, f"{card} does not say which pictures the weights were made from"
    path = weights.with_name(Path(str(table["file"])).name)
    try:
        data = path.read_bytes()
    except OSError as error:
        return NONE, f"cannot read {path}: {error.strerror}"
    if hashlib.sha256(data).hexdigest() != table["sha256"]:
        return NONE, f"{path} is not the file that {card} names: its SHA-256 is another"
    known: Fingerprints = safetensors.numpy.load(data)[ARRAY].astype(np.uint64)
    return known, str(table.get("unknown", ""))
