"""Photographs: the ones bundled with scikit-image, or a user's own folder or zip archive."""

import io
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from inpaintbench.datasets.cases import Array, Mask
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.opencv import quiet_opencv

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp"})

# Pictures of other kinds, which are not read: a user should know that they were left out.
OTHER_SUFFIXES = frozenset(
    {
        *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jxl", ".psd"),
        *(".pbm", ".pgm", ".pnm", ".ppm", ".svg", ".tga"),
        *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),  # of cameras
    }
)

# Pictures may come from anywhere: PIL knows dozens more, and runs other programs for some.
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")

GREY_WITH_ALPHA = 4  # a PNG file's colour type
TIFF_STARTS = (b"II", b"MM")  # little and big endian
MOST_PIXELS = 178_956_970  # PIL's limit, for what is read without it
LARGEST_MEMBER = 2**30  # bytes of a picture in an archive

# What turns a picture upright, by the orientation that EXIF states.
TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# Photographs inside scikit-image's own wheel, with the terms that its documentation states. Left
# out: drawings (horse, logo, phantom, colour wheel), text pages (page, text), test patterns
# (chessboards), tiny faces (lfw), and the right half of the motorcycle's stereo pair, which shows
# what the left one shows.
BUNDLED_NAME = "skimage"
BUNDLED = {
    "astronaut": "public domain (NASA)",
    "brick": "CC0 (CC0Textures)",
    "camera": "CC0 (Lav Varshney)",
    "cat": "CC0 (Stefan van der Walt)",
    "cell": "CC0",
    "clock": "public domain (Stefan van der Walt)",
    "coffee": "CC0 (Rachel Michetti)",
    "coins": "no known copyright restrictions (Brooklyn Museum)",
    "grass": "CC0 (Linolafett)",
    "gravel": "CC0 (CC0Textures)",
    "hubble_deep_field": "public domain (NASA)",
    "immunohistochemistry": "no known copyright restrictions (CMMI)",
    "microaneurysms": "CC0 (Andreas Maier)",
    "moon": "no terms stated by scikit-image",
    "motorcycle": "no terms stated by scikit-image (Middlebury stereo 2014)",
    "retina": "CC0",
    "rocket": "public domain (SpaceX)",
}


@dataclass(frozen=True, eq=False)
class Photograph:
    """One photograph.

    Attributes
    ----------
    image_id : str
        Name in its collection: a path relative to the folder or archive, with "/".
    source : str
        The collection: "skimage", or the name of the folder or archive.
    pixels : (H, W) array of uint8 or uint16; also (H, W, 3) where it was read in colour
    """

    image_id: str
    source: str
    pixels: Array


@dataclass
class Skipped:
    """Files that could not be used: name and reason, in the order they were met.

    And, in words, what else a user should know of those that were.
    """

    files: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, reason: str) -> None:
        """Note one file."""
        self.files.append((name, reason))

    def first(self) -> str:
        """Name the first file, for the end of an error; empty if there is none."""
        return f"; first skipped: {': '.join(self.files[0])}" if self.files else ""

    def __len__(self) -> int:
        return len(self.files)


def grey(pixels: Array) -> Array:
    """Luminance of an `(H, W)`, `(H, W, 3)` or `(H, W, 4)` array, in the same integer dtype.

    The ITU-R 601 weights in 16-bit fixed point, which is what PIL's `convert("L")` computes; alpha
    is ignored.
    """
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] < 3:  # grey with alpha
        return pixels[..., 0]
    weights = np.array([19595, 38470, 7471], np.int64)
    luminance = np.asarray(pixels[..., :3].astype(np.int64) @ weights + 0x8000)
    return np.right_shift(luminance, 16).astype(pixels.dtype)


def resize(pixels: Array, shape: tuple[int, int]) -> Array:
    """Resize a grey or colour uint8 or uint16 array with LANCZOS, clipped, rounded to its dtype."""
    if pixels.dtype == np.uint8:  # PIL's own fixed-point resampling, as the course uses it
        size = (shape[1], shape[0])
        return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
    limits = np.iinfo(pixels.dtype)
    rounded = np.clip(np.rint(resize_exactly(pixels, shape)), limits.min, limits.max)
    return np.asarray(rounded, pixels.dtype)


def resize_exactly(pixels: Array, shape: tuple[int, ...], kernel: str = "lanczos") -> Array:
    """Resize a grey or colour array to float32, which may leave its range.

    Parameters
    ----------
    pixels : of any type of number
    shape : rows and columns of the answer
    kernel : "nearest", "bilinear", "bicubic" or "lanczos", as PIL implements them
    """
    if pixels.ndim == 3:
        channels = [resize_exactly(pixels[..., c], shape, kernel) for c in range(pixels.shape[2])]
        return np.stack(channels, axis=-1)
    exact = Image.fromarray(np.ascontiguousarray(pixels, np.float32))
    return np.asarray(exact.resize((shape[1], shape[0]), Image.Resampling[kernel.upper()]))


def decode(data: bytes) -> Array:
    """Decode a JPEG, PNG, TIFF or WebP file to a greyscale `(H, W)` array of uint8 or uint16.

    Raises
    ------
    ValueError
        If it is no such file, is cut short, holds neither 8- nor 16-bit integers, or several
        pictures.
    """
    return grey(_decoded(data, "L"))


def decode_in_colour(data: bytes, most_pixels: int | None = None) -> Array:
    """Decode a JPEG, PNG, TIFF or WebP file as a viewer shows it: in colour, and upright.

    Alpha is dropped. A camera's note of how it was held (EXIF) is obeyed, but in 16-bit colour.

    Returns
    -------
    array of uint8 or uint16
        `(H, W)` if the file is grey, `(H, W, 3)` if it is in colour.

    Raises
    ------
    ValueError
        As `decode`, or if it has more than `most_pixels`, which is looked up before it is decoded.
    """
    return _decoded(data, "RGB", most_pixels)


def decode_mask(data: bytes) -> Mask:
    """Decode what a picture file hides, upright: `True` where it is not 0 in any channel.

    Where its transparency varies, as that of a layer that was drawn on, all that is not fully
    transparent is hidden instead: the colours may be those of the drawing and of the rest.

    Returns
    -------
    (H, W) array of bool

    Raises
    ------
    ValueError
        As `decode`.
    """
    values = decode_in_colour(data)
    with suppress(UnidentifiedImageError), _opened(data) as file:  # which has no alpha for PIL
        if file.has_transparency_data:
            alpha = np.asarray(_upright(file).convert("RGBA").getchannel("A"))
            if alpha.min() < alpha.max():
                return alpha > 0
    return values > 0 if values.ndim == 2 else np.any(values > 0, axis=2)


def _decoded(data: bytes, mode: str, most_pixels: int | None = None) -> Array:
    try:
        with _opened(data) as picture:
            _check_size(picture.width, picture.height, most_pixels)
            pixels = _loaded(picture, mode)
    except UnidentifiedImageError:  # 16-bit TIFF of a kind that PIL cannot read, or no picture
        width, height, count = _tiff_facts(data)
        _check_size(width, height, MOST_PIXELS if most_pixels is None else most_pixels)
        _check_alone(count)
        pixels = None
    except ValueError:
        raise
    except Exception as error:  # a damaged picture may fail in any way whatever
        raise ValueError(f"cannot be decoded: {error}") from error
    return _decode_deep(data) if pixels is None else pixels


@contextmanager
def _opened(data: bytes) -> Iterator[ImageFile.ImageFile]:
    # Of what PIL warns, nothing matters here: twice the size is an error, and stays one.
    with (
        warnings.catch_warnings(action="ignore"),
        Image.open(io.BytesIO(data), formats=FORMATS) as picture,
    ):
        yield picture


def _loaded(file: ImageFile.ImageFile, mode: str) -> Array | None:
    """Load a picture as "L" or, upright, as "RGB" unless it is grey; 16-bit grey stays what it is.

    None for 16 bits with colour or alpha, which PIL would silently turn into 8.
    """
    _check_alone(getattr(file, "n_frames", 1) if file.format == "TIFF" else 1)
    deep_colour = any(";16" in str(tile[3]) for tile in file.tile) or 16 in _tiff_bits(file)
    file.load()
    picture = _upright(file) if mode == "RGB" else file
    if picture.mode in ("I;16", "I;16L", "I;16B", "I"):
        pixels = np.asarray(picture)
        if pixels.min() < 0 or pixels.max() > 65535:
            raise ValueError("holds values outside 0..65535")
        return pixels.astype(np.uint16)
    if picture.mode == "F":
        raise ValueError("holds floating-point values; 8- or 16-bit integers are needed")
    if deep_colour:
        return None
    return np.asarray(picture.convert("L" if picture.mode in ("1", "L", "LA", "La") else mode))


def _tiff_bits(file: ImageFile.ImageFile) -> tuple[int, ...]:
    """Bits of each channel of a TIFF file; of others nothing."""
    return file.tag_v2.get(BITSPERSAMPLE, ()) if isinstance(file, TiffImageFile) else ()


def _upright(file: ImageFile.ImageFile) -> Image.Image:
    """Turn a picture as the camera noted; as it is where the note cannot be read.

    PIL's own function would write the rest of the note anew, and fail where that is damaged.
    """
    turn = None
    with suppress(Exception):
        turn = TURNS.get(file.getexif().get(ExifTags.Base.Orientation))
    return file if turn is None else file.transpose(turn)


def _check_size(width: int, height: int, most_pixels: int | None) -> None:
    if most_pixels is not None and width * height > most_pixels:
        most = f"{most_pixels / 1e6:g} million"
        raise ValueError(f"has {height}x{width} pixels; {most} are the most: scale it down")


def _check_alone(count: int) -> None:
    if count > 1:
        raise ValueError(f"holds {count} pictures: save them apart, or for --images as .npz")


def _tiff_facts(data: bytes) -> tuple[int, int, int]:
    """Width and height that a TIFF file states for its first picture, and how many it holds."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            return page.imagewidth, page.imagelength, len(file.pages)
    except Exception as error:  # a hostile file may make it fail in any way whatever
        raise ValueError("is not a readable JPEG, PNG, TIFF or WebP file") from error


def _decode_deep(data: bytes) -> Array:
    """Read 16 bits with colour or alpha, of which PIL would silently make 8, otherwise.

    `(H, W, 3)`, or `(H, W)` where the file is grey.
    """
    pixels = _read_by_tifffile(data)
    if pixels is None:
        pixels = _read_by_opencv(data)
    if pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"holds {pixels.dtype}; 8- or 16-bit integers are needed")
    return pixels


def _read_by_opencv(data: bytes) -> Array:
    import cv2

    buffer = np.frombuffer(data, np.uint8)
    try:
        with quiet_opencv():
            pixels = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED) if buffer.size else None
    except cv2.error as error:
        raise ValueError(f"cannot be decoded: {error}") from error
    if pixels is None:
        raise ValueError("is not a readable JPEG, PNG, TIFF or WebP file")
    if pixels.ndim == 2:
        return pixels
    if data[12:16] == b"IHDR" and data[25] == GREY_WITH_ALPHA:  # OpenCV gives it in colour
        return np.ascontiguousarray(pixels[..., 0])
    return np.ascontiguousarray(pixels[..., 2::-1])  # OpenCV's order is blue, green, red, alpha


def _read_by_tifffile(data: bytes) -> Array | None:
    """Read what OpenCV reads wrongly: a TIFF file of planes, or of grey with alpha; None: no such.

    Of any dtype.
    """
    if data[:2] not in TIFF_STARTS:
        return None
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            if not page.size or page.imagedepth != 1 or page.samplesperpixel > 4:
                raise ValueError("it is no picture of one to four values a pixel")
            planes = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
            if page.samplesperpixel != 2 and not (planes and page.samplesperpixel > 2):
                return None
            samples = np.moveaxis(page.asarray(), 0, -1) if planes else page.asarray()
    except tifffile.TiffFileError:
        return None
    except Exception as error:  # a hostile file may make it fail in any way whatever
        raise ValueError(f"cannot be decoded: {error}") from error
    return np.ascontiguousarray(samples[..., 0] if samples.shape[-1] == 2 else samples[..., :3])


@dataclass(frozen=True, eq=False)
class PhotographFile:
    """A file that may hold a photograph; `load` reads and decodes it, in colour or as grey."""

    image_id: str
    source: str
    load: Callable[[bool], Array]

    def read(self, smallest: int, colour: bool = False) -> Photograph:
        """Read the photograph as grey, or in colour if it has any.

        Raises
        ------
        ValueError
            If it is unreadable, or a side is under `smallest` pixels.
        """
        try:
            pixels = self.load(colour)
        except ValueError:
            raise
        except Exception as error:  # a damaged file or archive may fail in any way whatever
            raise ValueError(f"cannot be read: {error}") from error
        height, width = pixels.shape[:2]
        if min(height, width) < smallest:
            raise ValueError(f"{height}x{width} pixels, {smallest} a side are needed")
        return Photograph(self.image_id, self.source, pixels)


def photograph_files(where: str, skipped: Skipped | None = None) -> list[PhotographFile]:
    """List a collection's picture files in the order of their names, reading none of them.

    Parameters
    ----------
    where : str
        "skimage" for the photographs bundled with scikit-image, "cifar10" for CIFAR-10's test
        pictures, "cifar10-train" for those to train on, else the path of a folder (with its
        subfolders), of a zip archive, of CIFAR-10's own archive, or of a pickle or npz file that
        holds windows (see `arrays.array_files`).
    skipped : Skipped, optional
        Receives a note of the pictures of kinds that are not read.

    Raises
    ------
    InputError
        If `where` is nothing of these, or holds no file that looks like a picture.
    """
    from inpaintbench.datasets import arrays, cifar  # which need this module

    path = Path(where)
    if where == BUNDLED_NAME:
        return [PhotographFile(name, where, partial(_bundled, name)) for name in BUNDLED]
    if where in cifar.PARTS or (path.name.endswith(cifar.ENDINGS) and path.is_file()):
        return cifar.cifar_files(where)
    if path.suffix.lower() in arrays.SUFFIXES and path.is_file():
        return arrays.array_files(path)
    if where and path.is_dir():  # nothing would be the current folder
        source = path.resolve().name
        pictures = {
            _printable(file.relative_to(path).as_posix()): partial(_decode_file, file)
            for file in path.rglob("*")
            if _is_picture(file.name) and file.is_file()
        }
    elif zipfile.is_zipfile(path):
        try:
            source, archive = path.stem, zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise InputError(f"cannot read the archive {where}: {error}") from error
        pictures = {
            _printable(name): partial(_decode_member, archive, name)
            for name in archive.namelist()
            if _is_picture(name) and not name.startswith("__MACOSX/")
        }
    else:
        what = "is neither a folder nor a zip archive" if path.exists() else "does not exist"
        names = f"{BUNDLED_NAME}, {' or '.join(cifar.PARTS)}"
        kinds = f"a folder, a zip, a .pkl or .npz of windows, {names}"
        raise InputError(f"{where or 'an empty name'} {what}; --images takes {kinds}")
    readable = sorted(name for name in pictures if _suffix(name) in SUFFIXES)
    if not readable:
        raise none_usable(where, Skipped())
    if skipped is not None:
        skipped.notes += _left_out(pictures)
    return [PhotographFile(name, source, pictures[name]) for name in readable]


def _suffix(name: str) -> str:
    return Path(name).suffix.lower()


def _is_picture(name: str) -> bool:
    """Whether a file is called a picture, of a kind that is read or another."""
    return _suffix(name) in SUFFIXES | OTHER_SUFFIXES


def _left_out(names: Iterable[str]) -> list[str]:
    """Say how many pictures are of kinds that are not read, if any are."""
    others = Counter(_suffix(name) for name in names if _suffix(name) in OTHER_SUFFIXES)
    count = others.total()
    kinds = ", ".join(sorted(others))
    files = "1 file of another kind was" if count == 1 else f"{count} files of other kinds were"
    return [f"{files} left out: {kinds}"] if count else []


def read_photographs(
    files: Iterable[PhotographFile], smallest: int, skipped: Skipped, colour: bool = False
) -> Iterator[Photograph]:
    """Read photographs one by one; those that cannot be used are added to `skipped`."""
    for file in files:
        try:
            yield file.read(smallest, colour)
        except ValueError as error:
            skipped.add(file.image_id, str(error))


@lru_cache(maxsize=4)
def _files_by_id(where: str) -> dict[str, PhotographFile]:
    return {file.image_id: file for file in photograph_files(where)}


@lru_cache(maxsize=32)
def read_photograph(where: str, image_id: str, smallest: int, colour: bool = False) -> Photograph:
    """Read one photograph of a collection by its id; the last ones read are kept in memory.

    For a worker, which is asked for the same few photographs again and again.

    Raises
    ------
    InputError
        If it is not there any more, or cannot be used.
    """
    try:
        return _files_by_id(where)[image_id].read(smallest, colour)
    except KeyError:
        raise InputError(f"{where} holds no {image_id} any more; start a new run") from None
    except ValueError as error:
        raise InputError(f"{where}, {image_id}: {error}; start a new run") from error


def none_usable(where: str, skipped: Skipped) -> InputError:
    """Make the error for a collection without a single photograph that could be used."""
    has_files = Path(where).is_dir() or _suffix(where) == ".zip"
    kinds = f" (looked for {', '.join(sorted(SUFFIXES))})" if has_files else ""
    return InputError(f"no usable photographs in {where}{kinds}{skipped.first()}")


def _printable(name: str) -> str:
    """Escape the bytes of a file name that are no UTF-8, so that it can be stored anywhere."""
    return name.encode("utf-8", "backslashreplace").decode()


def _decode_file(path: Path, colour: bool) -> Array:
    return decode_in_colour(path.read_bytes()) if colour else decode(path.read_bytes())


def _decode_member(archive: zipfile.ZipFile, name: str, colour: bool) -> Array:
    if archive.getinfo(name).file_size > LARGEST_MEMBER:
        raise ValueError("would be over 1 GiB unpacked: no picture")
    return decode_in_colour(archive.read(name)) if colour else decode(archive.read(name))


@cache
def _bundled(name: str, colour: bool) -> Array:
    """Load one photograph of scikit-image's wheel; these need no network, and fit into memory."""
    from skimage import data

    pixels = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    pixels = pixels[..., :3] if colour and pixels.ndim == 3 else grey(pixels)
    pixels.flags.writeable = False  # every reader gets this one
    return pixels
