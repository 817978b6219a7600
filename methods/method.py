"""The interface that every method has: one class with one function."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, dataclass_transform

import numpy as np

from inpaintbench.datasets.cases import HIDING, Array, Mask, Observation

CLOSE = 1e-4  # of the value range: what float32 and another order of sums may change


@dataclass_transform(kw_only_default=True)
class Method(ABC):
    """Restores the hidden pixels of a picture.

    A subclass needs a `name`, a `family` and `restore`; it is found by standing in a module of
    `inpaintbench.methods`, or by an entry point of the group `inpaintbench.methods` in any other
    package. `inpaintbench check MODULE:CLASS` says whether it is right.

    Annotated class attributes are its parameters: keyword arguments with these defaults, printed
    in every table. Attributes without annotation are not.

    Attributes
    ----------
    name : str
        What commands and tables call it: lower case, words joined by "-".
    family : str
        The school it belongs to, such as "diffusion", "exemplar" or "network".
    tasks : tuple of str
        The tasks that it can do; in any other task the harness skips it and says so. By default
        all those that hide pixels by a mask, since `restore` is given any mask.
    limits : str
        Why it cannot do the others, for the harness to say; such as "takes square holes only".
    needs_file : bool
        Whether it can do nothing before its user names a file that cannot be shipped with it, so
        that the contract cannot be checked on it as it is.
    promises : tuple of str
        Symmetries that it keeps, some of "shift" (a constant added to all known pixels is added to
        the restored ones), "contrast" (all scaled alike), "flip" and "transpose" (the picture
        turned, the answer turned alike). The contract checks what is promised.

    Examples
    --------
    >>> class MidGrey(Method):
    ...     name = "mid-grey"
    ...     family = "constant"
    ...     level: float = 128.0
    ...
    ...     def restore(self, observation):
    ...         return np.full(observation.image.shape, self.level)
    >>> MidGrey(level=100.0)
    MidGrey(level=100.0)
    """

    name: ClassVar[str]
    family: ClassVar[str]
    tasks: ClassVar[tuple[str, ...]] = HIDING
    limits: ClassVar[str] = ""
    needs_file: ClassVar[bool] = False
    promises: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(kw_only=True, eq=False)(cls)
        for parameter in fields(cls):  # type: ignore[arg-type]  # is a dataclass since the last line
            if parameter.default is MISSING:
                raise TypeError(f"give the parameter {parameter.name} of {cls.__name__} a default")

    @classmethod
    def fills_holes(cls) -> bool:
        """Whether it can do tasks that hide pixels by a mask, not only those that ask for all."""
        return bool(set(cls.tasks) & set(HIDING))

    @abstractmethod
    def restore(self, observation: Observation) -> Array:
        """Restore one picture.

        Parameters
        ----------
        observation : Observation
            The picture with 0 at hidden pixels, and the mask; neither may be modified.

        Returns
        -------
        array of the picture's shape
            Values in the picture's own range (0..255 for uint8), float or integer, all finite.
            Only hidden pixels count: known ones are pasted back before scoring.
        """

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore several pictures, also of different sizes; override where a batch is faster."""
        return [self.restore(observation) for observation in observations]

    def expected_errors(self, observations: Sequence[Observation]) -> list[Array] | None:
        """Say how far off each restored pixel is to be expected, if the method knows.

        Returns
        -------
        list of arrays as `image[mask]`, or None
            Expected squared errors of the hidden pixels, in grey levels of 0..255 (NaN where
            nothing is known of one); None if the method cannot tell.
        """
        return None

    def caveat(self, mask: Mask) -> str:
        """Say where it cannot do what it is known for with such holes; "" where it can."""
        return ""

    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Give the restored values of each picture's hidden pixels: all that a submission needs.

        They are `picture[mask]`, `(n,)` or `(n, channels)`; override it where they cost less than
        whole pictures.
        """
        pictures = self.restore_batch(observations)
        return [p[o.mask] for p, o in zip(pictures, observations, strict=True)]

    def look_around(self, others: Sequence[Observation]) -> None:  # noqa: B027  (a hook)
        """Receive the other pictures of the test set, before the call that restores some.

        Only a method whose parameter `search` is "set" gets them, anew for every picture to
        restore; their hidden pixels are hidden as ever. A suite may cut several cases from one
        photograph, which would show each other's hidden pixels: those are not among them.
        """

    def weights_sha256(self) -> str:
        """Hash of the weights that were fitted beforehand; empty for a method without any."""
        return ""

    def cards(self) -> list[tuple[Path, dict[str, Any]]]:
        """Model cards of all weights that it uses, each with the path of its weights.

        Raises
        ------
        InputError
            If a card is missing.
        """
        return []

    def load(self) -> None:  # noqa: B027  (a hook)
        """Load what restoring needs, if it is not loaded yet: weights, and the library they need.

        Only timing asks for it, to tell loading from restoring: `restore` loads by itself.
        """

    @property
    def looks_around(self) -> bool:
        """Whether it wants to see the other pictures of the test set."""
        return self.parameters.get("search") == "set"

    @property
    def parameters(self) -> dict[str, Any]:
        """Name and value of every parameter."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    @property
    def changed_parameters(self) -> dict[str, Any]:
        """The parameters that differ from the class's defaults."""
        own = {field.name: field.default for field in fields(self)}  # type: ignore[arg-type]
        return {key: value for key, value in self.parameters.items() if value != own[key]}

    @property
    def label(self) -> str:
        """Name with the changed parameters, such as "telea:radius=5.0": unique in a run."""
        return ":".join([self.name, *(f"{k}={v}" for k, v in self.changed_parameters.items())])

    @property
    def params_json(self) -> str:
        """All parameters as JSON, as the results store them."""
        return json.dumps(self.parameters, sort_keys=True)


class PredictingMethod(Method):
    """A method that computes hidden pixels alone: it needs `predict_batch` instead of `restore`."""

    @abstractmethod
    def predict_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Give the restored values of each picture's hidden pixels, as `picture[mask]`."""

    def restore(self, observation: Observation) -> Array:
        """Restore one picture."""
        return self.restore_batch([observation])[0]

    def restore_batch(self, observations: Sequence[Observation]) -> list[Array]:
        """Restore several pictures, by one call of `predict_batch`."""
        pictures: list[Array] = [o.image.astype(np.float64) for o in observations]
        predictions = self.predict_batch(observations)
        for picture, o, prediction in zip(pictures, observations, predictions, strict=True):
            picture[o.mask] = prediction
        return pictures


def highest_value(observation: Observation) -> int:
    """The largest value of the picture's dtype: 255 or 65535."""
    return int(np.iinfo(observation.image.dtype).max)


def cannot_do(method: Method, task: str) -> str:
    """Say that a method "cannot do TASK", and why if that is known."""
    return f"cannot do {task}" + (f": {method.limits}" if method.limits else "")


def check_choice(parameter: str, value: object, known: Iterable[object]) -> None:
    """Raise a ValueError for a value that is none of the known ones, which it names."""
    known = list(known)
    if value not in known:
        raise ValueError(f"{parameter} must be one of {', '.join(map(str, known))}, not {value!r}")


def check_seed(seed: int) -> None:
    """Raise a ValueError for a seed that not every random generator takes."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be 0 to {2**32 - 1}, not {seed}")


def each_channel(image: Array) -> list[Array]:
    """Give the `(H, W)` channels of a grey or colour picture."""
    return [image] if image.ndim == 2 else [image[..., c] for c in range(image.shape[2])]


def joined(channels: list[Array], shape: tuple[int, ...]) -> Array:
    """Make a grey or colour picture, `(H, W)` or `(H, W, C)`, of its channels."""
    return np.stack(channels, axis=-1).reshape(shape)


def per_channel(restore: Callable[[Array, Mask], Array], observation: Observation) -> Array:
    """Apply a function of an `(H, W)` image and mask to every channel of a picture by itself.

    What has nothing hidden or nothing known is as for `all_channels`.
    """

    def each(planes: Array, mask: Mask) -> Array:
        if len(planes) == 1:
            return restore(planes[0], mask)[None]  # stacked it would be copied
        return np.stack([restore(plane, mask) for plane in planes])

    return all_channels(each, observation)


def all_channels(restore: Callable[[Array, Mask], Array], observation: Observation) -> Array:
    """Apply a function of an image `(channels, H, W)` and mask to a picture, grey or in colour.

    A picture with nothing hidden comes back as it is; one with nothing known becomes mid-grey,
    since there is nothing to go by.
    """
    image, mask = observation.image, observation.mask
    if not mask.any():
        return image.astype(np.float64)
    if mask.all():
        return np.full(image.shape, (highest_value(observation) + 1) / 2)
    planes = np.ascontiguousarray(np.moveaxis(image.reshape(*mask.shape, -1), -1, 0))
    return np.ascontiguousarray(np.moveaxis(restore(planes, mask), 0, -1)).reshape(image.shape)
