"""Frame files are read as OpenCV shows them, without being decoded."""

import io
import struct
import zlib

import cv2
import mmcv
import numpy as np
import pytest
from PIL import Image

from tmt_vis.datasets.errors import FrameError
from tmt_vis.datasets.frame_files import (
    locate_frame,
    natural_text_key,
    read_header,
)

STORED = np.zeros((8, 12, 3), np.uint8)


def encoded(kind: str, orientation: int) -> bytes:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[274] = orientation
    options = dict(tiffinfo={274: orientation}) if kind == "TIFF" else dict(exif=exif)
    Image.fromarray(STORED).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_sizes_are_those_of_opencv_for_every_orientation(tmp_path, kind):
    for orientation in range(1, 9):
        content = encoded(kind, orientation)
        path = tmp_path / f"{orientation}.{kind.lower()}"
        path.write_bytes(content)
        header = read_header(path)
        shown = mmcv.imfrombytes(content, "color").shape[:2]
        assert (header.height, header.width) == shown
        assert header.orientation == orientation and not header.is_deep
        assert shown == ((8, 12) if orientation < 5 else (12, 8))


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def with_chunk(png: bytes, kind: bytes, data: bytes, *, before: bytes) -> bytes:
    at = png.index(before) - 4
    return png[:at] + chunk(kind, data) + png[at:]


XMP = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/>
</rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize(
    "kind, data, before, orientation",
    [
        (b"eXIf", None, b"IDAT", 6),
        (b"eXIf", None, b"IEND", 6),  # behind the pixels
        (b"eXIf", b"damaged", b"IDAT", 1),
        (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP, b"IDAT", 1),  # not EXIF
    ],
)
def test_only_exif_turns_a_png_as_in_opencv(tmp_path, kind, data, before, orientation):
    exif = Image.Exif()
    exif[274] = 6
    block = exif.tobytes().removeprefix(b"Exif\0\0") if data is None else data
    plain = cv2.imencode(".png", STORED)[1].tobytes()
    path = tmp_path / "a.png"
    path.write_bytes(with_chunk(plain, kind, block, before=before))
    header = read_header(path)
    assert header.orientation == orientation
    assert (header.height, header.width) == cv2.imread(str(path)).shape[:2]


@pytest.mark.parametrize("suffix", [".webp", ".png", ".tiff"])
def test_images_of_a_file_are_counted(tmp_path, suffix):
    frames = [Image.fromarray(STORED + 90 * i) for i in range(3)]
    path = tmp_path / f"a{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:])
    assert read_header(path).num_images == 3


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3)])
@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_16_bits_are_seen(tmp_path, shape, suffix):
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), np.full(shape, 1023, np.uint16))
    assert read_header(path).is_deep


def test_damaged_files_are_frame_errors(tmp_path):
    path = tmp_path / "a.png"
    for content in (b"", b"no image", encoded("PNG", 6)[:20], encoded("TIFF", 6)[:30]):
        path.write_bytes(content)
        with pytest.raises(FrameError, match="a.png: "):
            read_header(path)
    for name in ("b.png", "nul\0.png"):
        with pytest.raises(FrameError):
            read_header(tmp_path / name)


def test_backslashes_are_slashes_where_that_is_a_file(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("a/0.png", "b\\0.png"):
        (tmp_path / name).write_bytes(b"")
    assert locate_frame(tmp_path, "a\\0.png") == str(tmp_path / "a/0.png")
    assert locate_frame(tmp_path, "b\\0.png") == str(tmp_path / "b\\0.png")


def test_numbers_in_names_count():
    names = ["a10", "a2", "a02", "a", "a2b", "9" * 5000, "b1"]
    expected = ["9" * 5000, "a", "a02", "a2", "a2b", "a10", "b1"]
    assert sorted(names, key=natural_text_key) == expected
    assert sorted(reversed(names), key=natural_text_key) == expected
