"""Folders and zips of images: what they hold is read, and what is wrong with them is said in one line."""

import hashlib
import io
import struct
import tracemalloc
import unicodedata
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from bench.digests import json_digest
from bench.errors import DataError
from domains.vision.datasets import images, sources


def digest_of(path):
    with sources.opened(path) as source:
        return images.digest(source, images.listing(source))


def read(path):
    return images.read(path, digest=digest_of(path))


def refusal(path):
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def pixels(folder, split):
    """(content, class) of every image, as Pillow decodes it."""
    return sorted(
        (np.asarray(Image.open(file)).transpose(2, 0, 1).tobytes(), ("cat", "dog").index(file.parent.name))
        for file in (folder / split).rglob("*.png")
    )


def save(path, *, size=(16, 16), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)


def test_images_have_the_class_of_their_folder(write_images, tmp_path):
    folder = write_images(tmp_path / "mine")
    arrays = read(folder)
    assert arrays["train-images"].shape == (12, 3, 16, 16)
    for split in ("train", "test"):
        found = sorted(zip(map(bytes, arrays[f"{split}-images"]), arrays[f"{split}-labels"].tolist(), strict=True))
        assert found == pixels(folder, split)


def test_classes_are_mixed_in_an_order_that_is_always_the_same(write_images, tmp_path):
    folder = write_images(tmp_path / "mine", train=20)
    labels = read(folder)["train-labels"].tolist()
    assert labels == read(folder)["train-labels"].tolist()
    assert labels != sorted(labels)
    assert 0 < sum(labels[:20]) < 20


def test_a_folder_and_its_zip_are_the_same(write_images, zipped, tmp_path):
    folder = write_images(tmp_path / "mine")
    for below in ("", "mine/"):
        archive = zipped(folder, tmp_path / f"{len(below)}.zip", below=below)
        assert digest_of(archive) == digest_of(folder)
        assert all((read(archive)[name] == array).all() for name, array in read(folder).items())


def test_the_digest_is_of_names_and_bytes(write_images, tmp_path):
    folder = write_images(tmp_path / "mine", train=2, test=1)
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.png"))
    expected = [[file, hashlib.sha256((folder / file).read_bytes()).hexdigest()] for file in files]
    assert digest_of(folder) == json_digest(expected)


def test_one_digest_is_one_content_however_names_are_composed(write_images, tmp_path):
    one, other = (write_images(tmp_path / name) for name in ("one", "other"))
    for folder, form in ((one, "NFC"), (other, "NFD")):
        for split in ("train", "test"):
            (folder / split / "cat").rename(folder / split / "f")
            (folder / split / "dog").rename(folder / split / unicodedata.normalize(form, "\xe9a"))
    assert digest_of(one) == digest_of(other)
    first, second = read(one), read(other)
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_another_content_is_refused_with_both_digests(write_images, tmp_path):
    folder = write_images(tmp_path / "mine")
    before = digest_of(folder)
    save(folder / "train" / "cat" / "0.png")
    with pytest.raises(DataError, match=f"sha256 {digest_of(folder)}, not {before}"):
        images.read(folder, digest=before)


def test_a_validation_split_is_read_too(write_images, tmp_path):
    folder = write_images(tmp_path / "mine")
    for name in ("cat", "dog"):
        save(folder / "val" / name / "0.png")
    assert len(read(folder)["val-labels"]) == 2


def test_grey_images_have_one_channel(write_images, tmp_path):
    assert read(write_images(tmp_path / "mine", mode="L"))["train-images"].shape == (12, 1, 16, 16)


def test_images_need_not_be_square(write_images, tmp_path):
    assert read(write_images(tmp_path / "mine", size=(20, 12)))["train-images"].shape == (12, 3, 12, 20)


def test_hidden_files_and_others_are_passed_over(write_images, zipped, tmp_path):
    folder = write_images(tmp_path / "mine")
    before = digest_of(folder)
    for name in (
        "README.md",
        "train/.DS_Store",
        "train/cat/.hidden.png",
        "train/cat/notes.txt",
        "__MACOSX/train/cat/0.png",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"text")
    assert digest_of(folder) == before
    assert digest_of(zipped(folder, tmp_path / "mine.zip")) == before


# What is wrong with a set of images.


def test_31x32_among_32x32(write_images, tmp_path):
    folder = write_images(tmp_path / "mine", size=(32, 32))
    save(folder / "test" / "dog" / "9.png", size=(31, 32))
    assert "the image 'test/dog/9.png' of" in (message := refusal(folder))
    assert "is 31x32 colour among 32x32 colour" in message


def test_grey_among_colour(write_images, tmp_path):
    folder = write_images(tmp_path / "mine")
    save(folder / "train" / "dog" / "9.png", mode="L")
    assert "is 16x16 grey among 16x16 colour" in refusal(folder)


@pytest.mark.parametrize("mode", ["RGBA", "P", "I;16", "1"])
def test_images_that_are_not_of_8_bits(write_images, tmp_path, mode):
    folder = write_images(tmp_path / "mine")
    save(folder / "train" / "dog" / "9.png", mode=mode)
    assert f"is of mode {mode}: save it as 8-bit grey or RGB" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_a_truncated_image(write_images, tmp_path, content):
    folder = write_images(tmp_path / "mine")
    path = folder / "train" / "dog" / "3.png"
    path.write_bytes(path.read_bytes()[:-40] if content is None else content)
    assert "the image 'train/dog/3.png' of" in (message := refusal(folder))
    assert ("cannot be decoded" if content is None else "is neither JPEG nor PNG, whatever its name says") in message


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_a_broken_profile_behind_the_pixels(write_images, tmp_path):
    folder = write_images(tmp_path / "mine")
    path = folder / "train" / "dog" / "3.png"
    png = path.read_bytes()
    end = png.index(b"IEND") - 4
    path.write_bytes(png[:end] + chunk(b"iCCP", b"\0") + png[end:])
    assert "the image 'train/dog/3.png' of" in refusal(folder)


@pytest.mark.parametrize("kind", [0, 2])
def test_16_bits_a_channel_are_not_cut_to_8(write_images, tmp_path, kind):
    folder = write_images(tmp_path / "mine")
    rows = (b"\0" + bytes(16 * 2 * (1 + kind))) * 16
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 16, kind, 0, 0, 0))
    (folder / "train" / "dog" / "3.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
    assert ("has 16 bits a channel: save it with 8" if kind else "is of mode I;16") in refusal(folder)


def test_a_truncated_jpeg(write_images, tmp_path):
    folder = write_images(tmp_path / "mine", ending="jpg")
    path = folder / "train" / "dog" / "3.jpg"
    path.write_bytes(path.read_bytes()[:-200])
    assert "cannot be decoded" in refusal(folder)


def test_another_format_under_an_images_name(write_images, tmp_path):
    folder = write_images(tmp_path / "mine")
    Image.new("RGB", (16, 16)).save(folder / "train" / "dog" / "3.png", format="GIF")
    assert "is neither JPEG nor PNG, whatever its name says" in refusal(folder)


def test_a_class_that_only_one_split_has(write_images, tmp_path):
    folder = write_images(tmp_path / "mine")
    save(folder / "test" / "bird" / "0.png")
    assert "has the class 'bird' in the split test alone: every split has the same classes" in refusal(folder)
    save(folder / "train" / "bird" / "0.png")
    save(folder / "train" / "fish" / "0.png")
    assert "has the class 'fish' in train, not in test" in refusal(folder)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_that_is_missing(write_images, tmp_path, split):
    folder = write_images(tmp_path / "mine")
    (folder / split).rename(folder / f".{split}")
    assert f"has no images of the split {split}: images lie in <split>/<class>/" in refusal(folder)


def test_what_is_asked_of_a_data_set_with_val_alone_says_so(write_images, tmp_path):
    folder = sources.Folder(write_images(tmp_path / "mine"))
    with pytest.raises(
        DataError, match="of the split val: images lie in <split>/<class>/, with the splits train and val$"
    ):
        images.listing(folder, needed=("train", "val"))


@pytest.mark.parametrize(
    "name", ["train/0.png", "0.png", "extra/cat/0.png", "train/cat/a/0.png", "train/cat/a/b/0.png"]
)
def test_images_that_lie_elsewhere(write_images, tmp_path, name):
    folder = write_images(tmp_path / "mine")
    save(folder / name)
    assert f"has the image {name!r}: images lie in <split>/<class>/" in refusal(folder)


# Archives that nobody should open.


def pack(path, entries):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


@pytest.fixture
def entries(write_images, tmp_path):
    folder = write_images(tmp_path / "mine", train=2, test=1)
    return [(file.relative_to(folder).as_posix(), file.read_bytes()) for file in sorted(folder.rglob("*.png"))]


@pytest.mark.parametrize("name", ["../train/cat/7.png", "/train/cat/7.png", "train/../../7.png", "C:/train/cat/7.png"])
def test_names_that_lead_out_of_the_archive(entries, tmp_path, name):
    assert f"has a file {name!r}, outside of itself" in refusal(pack(tmp_path / "x.zip", [*entries, (name, b"")]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice(entries, tmp_path):
    assert "has 'train/cat/0.png' twice" in refusal(pack(tmp_path / "x.zip", [*entries, ("train/cat/0.png", b"")]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("train/cat/0.png", "train/cat/0.PNG"),
        ("train/cat/0.png", "train/Cat/1.png"),
        ("train/caf\u00e9/0.png", "train/cafe\u0301/1.png"),
        ("train/stra\u00dfe/0.png", "train/STRASSE/1.png"),
    ],
)
def test_names_that_some_systems_take_for_one(entries, tmp_path, one, other):
    path = pack(tmp_path / "x.zip", [*entries, *((name, b"") for name in (one, other) if name not in dict(entries))])
    assert "which some systems take for one: rename one" in refusal(path)


@pytest.mark.parametrize("name", ["train/cat/\u202egnp.png", "train/cat/a\nb.png", "train/c\x1bat/0.png"])
def test_names_that_cannot_be_printed(entries, tmp_path, name):
    assert "unprintable name" in refusal(pack(tmp_path / "x.zip", [*entries, (name, b"")]))


def test_plain_unicode_names_are_names(write_images, tmp_path):
    folder = write_images(tmp_path / "mine")
    for split in ("train", "test"):
        (folder / split / "cat").rename(folder / split / "\u732b")
    assert read(folder)["train-labels"].max() == 1


def test_more_than_any_set_of_images(entries, tmp_path, monkeypatch):
    path = pack(tmp_path / "x.zip", entries)
    monkeypatch.setattr(sources, "LARGEST", 2_000)
    assert f"would unpack to {len(entries)} files of" in refusal(path)
    monkeypatch.undo()
    monkeypatch.setattr(sources, "MOST", len(entries) - 1)
    assert f"would unpack to {len(entries)} files of" in refusal(path)


def test_a_file_that_inflates(entries, tmp_path):
    """A kilobyte of archive for every megabyte of memory: refused by what it says of itself, before it is inflated."""
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
        archive.writestr("train/cat/bomb.png", bytes(sources.LARGEST_FILE + 1))
    assert path.stat().st_size < 2**20
    assert "'train/cat/bomb.png'" in (message := refusal(path))
    assert "it has 67,108,865 bytes" in message


def test_an_archive_that_lies_about_its_sizes(entries, tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "LARGEST_FILE", 2**20)
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
        archive.writestr("train/cat/bomb.png", bytes(2**22))
    raw = path.read_bytes()
    assert raw.count(struct.pack("<I", 2**22)) >= 2
    path.write_bytes(raw.replace(struct.pack("<I", 2**22), struct.pack("<I", 100)))
    tracemalloc.start()
    try:
        assert "'train/cat/bomb.png'" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20, "what it lies about is not unpacked"
    finally:
        tracemalloc.stop()


def test_an_image_of_more_pixels_than_memory(write_images, tmp_path):
    """A PNG of a few bytes whose header asks for 40 gigabytes: all images are alike, so only the first decides."""
    header = struct.pack(">IIBBBBB", 115_000, 115_000, 8, 2, 0, 0, 0)

    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    folder = write_images(tmp_path / "mine")
    (folder / "train" / "cat" / "0.png").write_bytes(bomb)
    refusal(folder)
    (folder / "train" / "cat" / "0.png").unlink()
    (folder / "train" / "dog" / "0.png").write_bytes(bomb)
    refusal(folder)


def test_all_images_together_fit_into_memory_or_are_refused(write_images, tmp_path, monkeypatch):
    folder = write_images(tmp_path / "mine")
    digest = digest_of(folder)
    monkeypatch.setattr(images, "LARGEST", 18 * 3 * 16 * 16 - 1)
    with pytest.raises(DataError, match="take 13,824 bytes in memory"):
        images.read(folder, digest=digest)


@pytest.mark.parametrize("kept", [0, 10, -30])
def test_a_truncated_archive(entries, tmp_path, kept):
    path = pack(tmp_path / "x.zip", entries)
    path.write_bytes(path.read_bytes()[:kept])
    assert "as a zip archive" in refusal(path)


def test_a_flipped_bit_in_an_archive(entries, tmp_path):
    path = pack(tmp_path / "x.zip", entries)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"IDAT") + 20] ^= 1
    path.write_bytes(raw)
    assert "cannot be read (Bad CRC-32" in refusal(path)


def test_a_flipped_bit_in_an_archive_of_another_compression(entries, tmp_path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, content in entries:
            archive.writestr(name, content)
        start = archive.infolist()[0]
    raw = bytearray(path.read_bytes())
    place = start.header_offset + 30 + len(start.filename)
    raw[place + 20 : place + 60] = bytes(byte ^ 255 for byte in raw[place + 20 : place + 60])
    path.write_bytes(raw)
    assert "cannot be read" in refusal(path)


def test_an_encrypted_archive(entries, tmp_path):
    path = pack(tmp_path / "x.zip", entries)
    raw = bytearray(path.read_bytes())
    for start in (b"PK\x03\x04", b"PK\x01\x02"):
        place = raw.index(start)
        raw[place + (6 if start == b"PK\x03\x04" else 8)] |= 1
    path.write_bytes(raw)
    assert "encrypted" in refusal(path)


def test_nothing_is_written(entries, tmp_path):
    path = pack(tmp_path / "x.zip", [*entries, ("../../evil.png", b"")])
    before = sorted(tmp_path.parent.rglob("*"))
    refusal(path)
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_the_decoder_is_named_with_its_version():
    from PIL import __version__

    assert images.decoder().startswith(f"pillow-{__version__}-jpeg-")


def test_decoding_is_pillows(tmp_path):
    rng = np.random.default_rng(0)
    expected = rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)
    target = io.BytesIO()
    Image.fromarray(expected).save(target, format="PNG")
    np.testing.assert_array_equal(images.decode(tmp_path, "x.png", target.getvalue()), expected.transpose(2, 0, 1))
