"""Reading photographs of every kind, and surviving what is none."""

import io
import os
import shutil
import struct
import zipfile
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from skimage import data

from inpaintbench.datasets import InputError
from inpaintbench.datasets.images import (
    BUNDLED,
    Skipped,
    decode,
    decode_in_colour,
    grey,
    photograph_files,
    read_photographs,
    resize,
)
from inpaintbench.datasets.tasks import crop
from inpaintbench.datasets.tasks.drawing import draw_cases
from inpaintbench.methods.photographs import announced_split


def read_all(where, skipped=None):
    skipped = Skipped() if skipped is None else skipped
    return list(read_photographs(photograph_files(str(where)), 70, skipped))


def encoded(pixels, extension):
    return cv2.imencode(extension, pixels)[1].tobytes()


def test_grey_is_what_pil_computes():
    expected = np.asarray(Image.fromarray(data.astronaut()).convert("L"))
    assert np.array_equal(grey(data.astronaut()), expected)


def test_grey_keeps_16_bits():
    deep = grey(data.astronaut().astype(np.uint16) * 257)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - grey(data.astronaut())).max() <= 0.51


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
def test_lossless_files_come_back_exactly(extension, dtype, colour):
    pixels = data.astronaut()[:80, :90].astype(dtype) * (257 if dtype == np.uint16 else 1)
    pixels = pixels if colour else pixels[..., 0].copy()
    stored = pixels[..., ::-1] if colour else pixels  # OpenCV writes blue first
    decoded = decode(encoded(stored, extension))
    assert decoded.dtype == dtype
    assert np.array_equal(decoded, grey(pixels))


@pytest.mark.parametrize("extension", [".png", ".tiff"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
def test_colours_are_kept_where_they_are_wanted(extension, dtype, colour):
    pixels = data.astronaut()[:80, :90].astype(dtype) * (257 if dtype == np.uint16 else 1)
    pixels = pixels if colour else pixels[..., 0].copy()
    decoded = decode_in_colour(encoded(pixels[..., ::-1] if colour else pixels, extension))
    assert decoded.dtype == dtype
    assert np.array_equal(decoded, pixels)


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "1", "CMYK", "L"])
def test_other_modes_are_grey_or_colour(mode):
    buffer = io.BytesIO()
    picture = Image.fromarray(data.astronaut()[:80, :90]).convert(mode)
    picture.save(buffer, "TIFF" if mode == "CMYK" else "PNG")
    grey_or_colour = "L" if mode in ("LA", "1", "L") else "RGB"
    expected = np.asarray(picture.convert(grey_or_colour))
    assert np.array_equal(decode_in_colour(buffer.getvalue()), expected)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_in_colour_is_upright(orientation):
    picture = Image.fromarray(data.astronaut()[:80, :90])
    exif, buffer = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    picture.save(buffer, "PNG", exif=exif)
    turned = ImageOps.exif_transpose(Image.open(buffer))
    assert np.array_equal(decode_in_colour(buffer.getvalue()), np.asarray(turned))


def test_a_picture_with_too_many_pixels_is_never_decoded():
    black = np.zeros((1000, 1001), np.uint8)
    deep = np.zeros((1000, 1001, 3), np.uint16)
    for content in (encoded(black, ".png"), encoded(deep, ".png"), encoded(deep, ".tiff")):
        with pytest.raises(ValueError, match="has 1000x1001 pixels; 1 million are the most"):
            decode_in_colour(content, 1_000_000)
        # Cut to its header: it would not decode, but its size can be told.
        with pytest.raises(ValueError, match=r"1 million|not a readable"):
            decode_in_colour(content[:300], 1_000_000)


@pytest.mark.parametrize("kind", ["EPS", "GIF"])  # the first would run another program
def test_other_formats_are_no_pictures_whatever_they_are_called(kind):
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()[:80, :90]).save(buffer, kind)
    for decoder in (decode, decode_in_colour):
        with pytest.raises(ValueError, match="not a readable"):
            decoder(buffer.getvalue())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_file_of_several_pictures_is_skipped_with_the_reason(tmp_path, dtype):
    stack = [Image.fromarray(np.full((80, 90), level, dtype)) for level in range(10)]
    stack[0].save(tmp_path / "stack.tif", save_all=True, append_images=stack[1:])
    stack[0].save(tmp_path / "one.tif")
    skipped = Skipped()
    assert [p.image_id for p in read_all(tmp_path, skipped)] == ["one.tif"]
    reason = "holds 10 pictures: save them apart, or for --images as .npz"
    assert skipped.files == [("stack.tif", reason)]
    with pytest.raises(ValueError, match="holds 10 pictures"):
        decode_in_colour((tmp_path / "stack.tif").read_bytes())


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "deflate"])
def test_a_tiff_with_a_plane_for_each_colour_is_read_exactly(dtype, compression):
    pixels = data.astronaut()[:80, :90].astype(dtype) * (257 if dtype == np.uint16 else 1)
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        np.moveaxis(pixels, -1, 0),
        photometric="rgb",
        planarconfig="separate",
        compression=compression,
    )
    read = decode_in_colour(file.getvalue())
    assert read.dtype == dtype
    assert np.array_equal(read, pixels)
    assert np.array_equal(decode(file.getvalue()), grey(pixels))


def tiff(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


def png_of_grey_with_alpha(pixels):
    """A PNG file of 16 bits, which no library here writes."""

    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 4, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff_of_grey_with_alpha(pixels):
    return tiff(pixels, photometric="minisblack", planarconfig="contig")


def test_several_pictures_that_pil_cannot_read_are_not_taken_for_one():
    for decoder in (decode, decode_in_colour):
        with pytest.raises(ValueError, match="holds 3 pictures: save them apart"):
            decoder(tiff_of_grey_with_alpha(np.zeros((3, 80, 90, 2), np.uint16)))


@pytest.mark.parametrize(
    "content",
    [
        tiff(np.zeros((60, 16, 16), np.uint16), photometric="minisblack", planarconfig="separate"),
        tiff(np.zeros((16, 16, 16, 3), np.uint16), photometric="rgb", volumetric=True),
    ],
    ids=["60 planes", "a volume"],
)
def test_what_is_more_than_a_picture_is_refused(content):
    """A file of some hundred bytes can state gigabytes."""
    for decoder in (decode, decode_in_colour):
        with pytest.raises(ValueError, match="no picture of one to four values"):
            decoder(content)


@pytest.mark.parametrize("encode", [tiff_of_grey_with_alpha, png_of_grey_with_alpha])
@pytest.mark.parametrize("decoder", [decode, decode_in_colour])
def test_16_bit_grey_with_alpha_is_grey_of_16_bits(encode, decoder):
    pixels = np.random.default_rng(0).integers(0, 65536, (80, 90, 2), np.uint16)
    read = decoder(encode(pixels))
    assert read.dtype == np.uint16
    assert np.array_equal(read, pixels[..., 0])


def test_a_picture_whose_exif_is_damaged_is_upright_all_the_same():
    exif = Image.Exif()
    exif[0x0100], exif[0x0112] = 7, 6  # its width, of a type that is none below; to be turned
    file = io.BytesIO()
    Image.fromarray(data.camera()[:80, :90]).save(file, "JPEG", exif=exif)
    whole = file.getvalue()
    kind = whole.index(b"Exif\0\0") + 6 + 13
    damaged = whole[:kind] + b"\x01" + whole[kind + 1 :]
    assert decode_in_colour(damaged).shape == (90, 80)
    assert np.array_equal(decode_in_colour(damaged), decode_in_colour(whole))


def test_a_cameras_small_copy_beside_the_photograph_is_no_reason_to_skip_it():
    photograph = Image.fromarray(data.astronaut())
    buffer = io.BytesIO()
    photograph.save(buffer, "MPO", save_all=True, append_images=[photograph.resize((64, 64))])
    assert decode(buffer.getvalue()).shape == (512, 512)


def test_reading_a_picture_warns_of_nothing(recwarn, monkeypatch):
    buffer = io.BytesIO()
    colours = Image.fromarray(data.astronaut()[:80, :90]).quantize(16)
    colours.save(buffer, "PNG", transparency=bytes(range(16)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5000)  # less than it has, but not half as many
    for decoder in (decode, decode_in_colour):
        assert decoder(buffer.getvalue()).shape[:2] == (80, 90)
    assert not recwarn.list


def test_palette_alpha_and_grey_alpha_are_read():
    rgb = Image.fromarray(data.astronaut()[:80, :90])
    for mode in ("P", "RGBA", "LA", "1", "CMYK"):
        buffer = io.BytesIO()
        rgb.convert(mode).save(buffer, "TIFF" if mode == "CMYK" else "PNG")
        assert decode(buffer.getvalue()).shape == (80, 90)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        encoded(data.camera(), ".jpg")[:2000],
        encoded(data.camera(), ".png")[:2000],
        encoded(data.camera().astype(np.float32), ".tiff"),
        tiff(np.ones((3, 80, 90), np.float32), photometric="rgb", planarconfig="separate"),
        tiff(np.ones((3, 80, 90), np.uint32), photometric="rgb", planarconfig="separate"),
        tiff(np.ones((80, 90, 4), np.uint16), photometric="separated"),
        tiff(np.ones((80, 90), np.float16)),
        tiff(np.ones((80, 90, 5), np.uint16), photometric="rgb"),
    ],
    ids=[
        *("empty", "text", "cut JPEG", "cut PNG", "float TIFF", "planes of float32"),
        *("planes of uint32", "CMYK", "float16", "five channels"),
    ],
)
def test_what_cannot_be_decoded_is_a_value_error_and_no_more(content, capfd):
    for decoder in (decode, decode_in_colour):
        with pytest.raises(ValueError):
            decoder(content)
    assert capfd.readouterr().err == ""


def test_8_bit_resizing_is_pils_lanczos_and_16_bits_agree():
    small = resize(data.camera(), (70, 93))
    expected = Image.fromarray(data.camera()).resize((93, 70), Image.Resampling.LANCZOS)
    assert np.array_equal(small, np.asarray(expected))
    deep = resize(data.camera().astype(np.uint16) * 257, (70, 93))
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - small).max() <= 3  # PIL rounds 8 bits between its two passes
    assert np.abs(deep / 257 - small).mean() <= 0.5


def test_a_folder_is_read_with_its_subfolders_in_the_order_of_names(photographs):
    found = read_all(photographs)
    assert [p.image_id for p in found] == [
        "colour.jpg",
        "grey.png",
        "sub/colour.tif",
        "sub/deep.PNG",
    ]
    assert np.array_equal(found[1].pixels, data.camera())
    assert found[3].pixels.dtype == np.uint16


def test_a_zip_holds_the_same_photographs_as_its_folder(photographs, tmp_path):
    archive = shutil.make_archive(tmp_path / "archive", "zip", photographs)
    for ours, theirs in zip(read_all(archive), read_all(photographs), strict=True):
        assert ours.image_id == theirs.image_id
        assert np.array_equal(ours.pixels, theirs.pixels)


def test_unusable_files_are_named_and_the_rest_is_used(photographs):
    (photographs / "broken.jpg").write_bytes(b"nothing")
    Image.fromarray(data.camera()[:60, :200]).save(photographs / "small.png")
    (photographs / "notes.txt").write_text("not looked at")
    skipped = Skipped()
    assert len(read_all(photographs, skipped)) == 4
    assert [name for name, _ in skipped.files] == ["broken.jpg", "small.png"]
    assert "60x200" in dict(skipped.files)["small.png"]


def test_cases_come_from_the_usable_files_alone(photographs):
    (photographs / "broken.jpg").write_bytes(b"nothing")
    skipped = Skipped()
    cases = draw_cases(crop, str(photographs), 10, 0, skipped)
    assert len(cases) == 10
    assert {case.image_id for case in cases} == {p.image_id for p in read_all(photographs)}
    assert [name for name, _ in skipped.files] == ["broken.jpg"]


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_of_a_zip_is_skipped(photographs, tmp_path, compression):
    path = tmp_path / "damaged.zip"
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.write(photographs / "grey.png", "a.png")
        archive.write(photographs / "grey.png", "b.png")
    content = bytearray(path.read_bytes())
    content[5000] ^= 255  # inside a.png: its checksum no longer fits
    path.write_bytes(content)
    skipped = Skipped()
    assert [p.image_id for p in read_all(path, skipped)] == ["b.png"]
    assert [name for name, _ in skipped.files] == ["a.png"]


def test_an_archive_with_a_broken_directory_is_an_input_error(photographs, tmp_path):
    path = tmp_path / "broken.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(photographs / "grey.png", "a.png")
    content = path.read_bytes()
    path.write_bytes(content.replace(b"PK\x01\x02", b"PK\x09\x09"))
    with pytest.raises(InputError, match="cannot read the archive"):
        photograph_files(str(path))


def test_a_file_name_that_is_no_utf_8_is_read_all_the_same(tmp_path):
    with open(os.fsencode(tmp_path) + b"/caf\xe9.png", "wb") as file:
        file.write(encoded(data.camera(), ".png"))
    (case,) = draw_cases(crop, str(tmp_path), 1, 0, Skipped())
    assert case.image_id == "caf\\udce9.png"


def test_an_8_bit_picture_with_16_in_its_size_is_read_by_pil():
    buffer = io.BytesIO()
    Image.fromarray(data.astronaut()[:120, :160]).convert("CMYK").save(buffer, "JPEG")
    with Image.open(io.BytesIO(buffer.getvalue())) as picture:
        assert np.array_equal(decode(buffer.getvalue()), np.asarray(picture.convert("L")))


def test_pictures_of_other_kinds_are_counted_and_webp_is_read(photographs, tmp_path, capsys):
    picture = Image.fromarray(data.cat())
    for name in ("a.webp", "b.BMP", "sub/c.gif", "d.bmp"):
        picture.save(photographs / name)
    (photographs / "notes.txt").write_text("no picture")
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", photographs)
    for where in (str(photographs), archive):
        skipped = Skipped()
        cases = draw_cases(crop, where, 5, 0, skipped)
        assert "a.webp" in {case.image_id for case in cases}
        assert skipped.notes == ["3 files of other kinds were left out: .bmp, .gif"]
        assert not skipped.files
    announced_split([str(photographs)], "train on")
    assert "\n3 files of other kinds were left out: .bmp, .gif\n" in f"\n{capsys.readouterr().out}"


def test_a_single_picture_of_another_kind_is_told_by_its_kind(photographs):
    Image.fromarray(data.astronaut()).save(photographs / "a.gif")
    photograph_files(str(photographs), skipped := Skipped())
    assert skipped.notes == ["1 file of another kind was left out: .gif"]


def test_no_photograph_is_used_twice_while_another_is_unused(tmp_path):
    for number in range(24):
        content = b"broken" if number % 4 == 0 else encoded(data.camera(), ".png")
        (tmp_path / f"{number:02d}.png").write_bytes(content)
    cases = draw_cases(crop, str(tmp_path), 16, 0, Skipped())
    assert len({case.image_id for case in cases}) == 16


@pytest.mark.parametrize("content", [{}, {"a.txt": b""}, {"a.jpg": b"broken"}])
def test_no_usable_photograph_is_an_error(tmp_path, content):
    for name, data_ in content.items():
        (tmp_path / name).write_bytes(data_)
    with pytest.raises(InputError, match="no usable photographs"):
        draw_cases(crop, str(tmp_path), 5, 0, Skipped())


def test_neither_folder_nor_archive_is_an_error(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        photograph_files(str(tmp_path / "missing"))
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="neither a folder nor a zip"):
        photograph_files(str(tmp_path / "file"))


def test_the_bundled_photographs_are_at_least_14_and_need_no_network(monkeypatch):
    import socket

    def refuse(*_arguments):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    found = read_all("skimage")
    assert [p.image_id for p in found] == list(BUNDLED)
    assert len(found) >= 14
    assert all(p.pixels.dtype == np.uint8 and p.pixels.ndim == 2 for p in found)
    assert len({p.pixels.tobytes() for p in found}) == len(found)
