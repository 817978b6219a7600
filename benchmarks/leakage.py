"""Photographs of a suite that look like pictures which a method's weights were made from.

Scores on them say less of what the method will do on new pictures, so they are listed and marked.
What this can find, and what not, is measured in docs/leakage.md.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from inpaintbench.datasets.fingerprints import THRESHOLD, Fingerprints, distance
from inpaintbench.datasets.images import Photograph, Skipped, photograph_files, read_photographs
from inpaintbench.methods.method import Method
from inpaintbench.methods.training_pictures import training_pictures

NAMED = 5  # photographs in a warning


@dataclass(frozen=True)
class Leak:
    """A photograph of the suite that looks like a training picture of a method.

    Attributes
    ----------
    label : str
        The method.
    source, image_id : str
        The photograph.
    distance : int
        Bits by which their fingerprints differ; 0 for the nearest likeness.
    """

    label: str
    source: str
    image_id: str
    distance: int


def find_leaks(methods: Sequence[Method], photographs: Iterable[Photograph]) -> list[Leak]:
    """Look for photographs that are near-duplicates of methods' training pictures.

    Parameters
    ----------
    methods : those that are run; one without weights has no training pictures
    photographs : whole, as the suite's cases were cut from them

    Returns
    -------
    list of Leak
        In the order of the methods, then of the photographs.
    """
    sharing: dict[bytes, tuple[Fingerprints, list[str]]] = {}  # most methods have the same pictures
    for method in methods:
        known, _ = training_pictures(method)
        sharing.setdefault(known.tobytes(), (known, []))[1].append(method.label)
    sharing.pop(b"", None)  # nothing to compare with
    found = [
        Leak(label, photograph.source, photograph.image_id, bits)
        for photograph in (photographs if sharing else ())
        for known, labels in sharing.values()
        if (bits := distance(photograph.pixels, known)) <= THRESHOLD
        for label in labels
    ]
    order = {method.label: place for place, method in enumerate(methods)}
    return sorted(found, key=lambda leak: order[leak.label])


def unknown_training(methods: Sequence[Method]) -> dict[str, str]:
    """Say of which methods not all training pictures are known, and why: a label's reason."""
    reasons = {method.label: training_pictures(method)[1] for method in methods}
    return {label: reason for label, reason in reasons.items() if reason}


def drawn_photographs(where: str, image_ids: Collection[str]) -> Iterator[Photograph]:
    """Read those photographs of a collection that cases were drawn from."""
    files = [file for file in photograph_files(where) if file.image_id in image_ids]
    return read_photographs(files, 1, Skipped())


def leak_notices(leaks: Sequence[Leak], unknown: dict[str, str]) -> Iterator[str]:
    """Say what was found, and what could not be looked for, for people to read."""
    found = {
        label: tuple(leak.image_id for leak in group)
        for label, group in groupby(leaks, key=lambda leak: leak.label)
    }
    for names in dict.fromkeys(found.values()):
        labels = ", ".join(label for label, own in found.items() if own == names)
        shown = ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
        look = (
            "photograph of this suite looks"
            if len(names) == 1
            else "photographs of this suite look"
        )
        yield (
            f"{len(names)} {look} like training pictures of {labels}: {shown}; "
            f"their scores are marked"
        )
    for label, reason in unknown.items():
        yield f"cannot tell whether {label} was trained on photographs of this suite: {reason}"
