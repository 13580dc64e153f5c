"""Archives and ticket files from an enemy: none is believed, none leaves anything, none breaks a thing.

Every mutant is made deterministically from an honest archive or ticket file, and given to `unpack` and to `verify`.
"""

import io
import json
import os
import random
import shutil
import stat
import struct
import warnings
import zipfile
import zlib
from hashlib import sha256

import numpy as np
import pytest
import toy
from safetensors.numpy import load, load_file, save

from bench import suitefile
from bench.digests import canonical_json
from bench.errors import StoreError, SubmissionError
from bench.exchange import unpack as unpacking
from bench.exchange.manifest import Manifest, Sealed
from bench.exchange.pack import pack
from bench.exchange.ticketfile import read_ticket, unfold, write_ticket
from bench.exchange.unpack import extract, unpack
from bench.exchange.verify import findings_of, findings_of_ticket
from bench.packed import FREE
from bench.runs.planning.plan import plan as make_plan
from bench.store.store import Store

MANIFEST = "manifest.json"
TIME = (1980, 1, 1, 0, 0, 0)


KEPT = {"name": "toy", "title": "", "tasks": []}


def content(root):
    """Of every file but `store.json`, which keeps the suite."""
    paths = (path for path in root.rglob("*") if path.is_file() and path.name != "store.json")
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def listing(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


class Honest:
    """An honest archive, its members, and the ticket file of the same store."""

    def __init__(self, store, plan, folder):
        units = [unit for unit in plan.units.values() if unit.seed == 0 and unit.level <= 1]
        pack(units, store, folder / "honest.zip", suite=toy.suite(), weights=True)
        self.data = (folder / "honest.zip").read_bytes()
        archive = zipfile.ZipFile(io.BytesIO(self.data))
        self.files = {name: archive.read(name) for name in archive.namelist() if name != MANIFEST}
        self.store = self.files
        self.any = next(name for name in self.files if "/random-ticket/" in name and name.endswith("record.json"))

    def manifest(self, files=None):
        sealed = {name: Sealed(len(each), sha256(each).hexdigest()) for name, each in (files or self.files).items()}
        return Manifest(suite=KEPT, files=sealed).text()


def zipped(members, *, method=zipfile.ZIP_DEFLATED):
    """A zip of (name or ZipInfo, content), in this order."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand there twice
        for name, data in members:
            info = name if isinstance(name, zipfile.ZipInfo) else zipfile.ZipInfo(name, TIME)
            info.compress_type = method
            archive.writestr(info, data)
    return file.getvalue()


def sealed(honest, files, *, manifest=None, method=zipfile.ZIP_DEFLATED):
    """An archive whose manifest is right."""
    return zipped([(MANIFEST, manifest or honest.manifest(files)), *files.items()], method=method)


@pytest.fixture
def honest(finished, suite_file, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    plan = make_plan(suitefile.load_suite(str(suite_file)))
    folder = tmp_path / "made"
    folder.mkdir()
    return Honest(Store(finished), plan, folder)


@pytest.fixture
def given(tmp_path):
    """Give bytes to `unpack` and `verify`; says why they were refused, or gives the content of the store."""
    outer = tmp_path / "outer"
    (outer / "target").mkdir(parents=True)
    (outer / "precious").write_text("mine")
    path = tmp_path / "mutant"

    def give(data):
        path.write_bytes(data)
        before = listing(outer)
        try:
            unpack(path, outer / "target" / "store")
        except (SubmissionError, StoreError) as error:
            assert listing(outer) == before
            assert (outer / "precious").read_text() == "mine"
            told = str(error)
            assert told.isprintable(), told
            assert len(told) < 1200
            return told
        found = content(outer / "target" / "store")
        for each in sorted((outer / "target").rglob("*"), reverse=True):
            each.unlink() if each.is_file() else each.rmdir()
        assert listing(outer) == before
        return found

    return give


def with_name(name):
    """The archive with a member of this name more, which the manifest names too."""

    def make(honest):
        files = {**honest.files, name: b"x"}
        members = [(MANIFEST, honest.manifest(files)), *honest.files.items()]
        data = zipped([*members, ("N" * len(name.encode()), b"x")])
        return data.replace(b"N" * len(name.encode()), name.encode())

    return make


UNIT = "toy/chain/dense/s0/L00-0123456789"
NAMES = (
    *("../evil", "../../evil", f"{UNIT}/../../record.json", f"{UNIT}/..", "..", ".", "/etc/evil", "//evil/record.json"),
    *("\\evil", "..\\..\\evil", "toy\\chain\\dense\\s0\\L00-0123456789\\record.json", "C:\\evil", "C:/evil", "c:evil"),
    *(f"C:/{UNIT}/record.json", f"/{UNIT}/record.json", f"./{UNIT}/record.json", f"{UNIT}//record.json", f"~/{UNIT}/x"),
    *(f"{UNIT}/record.json\x00.txt", "a\x00b", f"{UNIT}/\x00", f"{UNIT}/record.json\n", f"{UNIT}/rec\x1bord.json"),
    *(f"{UNIT}/evil.py", f"{UNIT}/__init__.py", f"{UNIT}/final.pkl", f"{UNIT}/RECORD.JSON", f"{UNIT}/record.json "),
    *(f"{UNIT}/record.json/record.json", f"{UNIT}/sub/record.json", "store.json", "manifest.json/x", "record.json"),
    *(f".attempts/{UNIT}/record.json", f"failed/{UNIT}/record.json", f"conflicts/{UNIT}/record.json", f"-rf/{UNIT}/x"),
    *(f"failed/dense/s0/L00-0123456789/record.json", f"conflicts/x/dense/s0/L00-0123456789/record.json"),  # noqa: F541
    *(f"{'a/' * 30}s0/L00-0123456789/record.json", f"{'a' * 300}/x/s0/L00-0123456789/record.json", "x" * 10_000),
    *(
        "toy/chain/dense/s0/L00-../record.json",
        "toy/chain/dense/s-1/L00-0123456789/record.json",
        "a/s0/L00-0123456789/x",
    ),
    *("toy/<script>/s0/L00-0123456789/record.json", "toy/\u202ex/s0/L00-0123456789/record.json", "toy/$HOME/s0/L0-0/x"),
    *("toy/a b/s0/L00-0123456789/record.json", "\u0442oy/x/s0/L00-0123456789/record.json", "CON/x/s0/L00-0123456789/x"),
)


def like(name, **fields):
    info = zipfile.ZipInfo(name, TIME)
    for field, value in fields.items():
        setattr(info, field, value)
    return info


def of_mode(mode, target=b"/etc/passwd"):
    """One of the files is a link, a device, a folder ..."""

    def make(honest):
        files = {**honest.files, honest.any: target}
        members = [(MANIFEST, honest.manifest(files))]
        for name, data in files.items():
            own = mode if name == honest.any else stat.S_IFREG
            members.append((like(name, external_attr=(own | 0o644) << 16, create_system=3), data))
        return zipped(members)

    return make


def twice(rename):
    def make(honest):
        return zipped([(MANIFEST, honest.manifest()), *honest.files.items(), (rename(honest.any), b"again")])

    return make


def case_folded(honest):
    """Two folders that are one on another system."""
    name = honest.any.replace("toy/chain", "toy/Chain")
    files = {**honest.files, name: honest.files[honest.any]}
    return sealed(honest, files)


MODES = (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFDIR)
STRUCTURES = [
    *map(with_name, NAMES),
    *map(of_mode, MODES),
    of_mode(stat.S_IFLNK, b"../../../precious"),
    twice(lambda name: name),
    twice(str.upper),
    case_folded,
]


# Zips that lie.


def bomb(size):
    """Far more than it seems: a file of zeros."""

    def make(honest):
        files = {**honest.files, honest.any: bytes(size)}
        return sealed(honest, files)

    return make


def nested(honest):
    inner = zipped([("a", bytes(10**6))] * 3)
    return sealed(honest, {**honest.files, honest.any: inner})


def patched(offset, form, value, *, of=b"PK\x01\x02", which=1):
    """Another number in the directory's entry of one file."""

    def make(honest):
        data = bytearray(honest.data)
        place = -1
        for _ in range(which + 1):
            place = data.index(of, place + 1)
        struct.pack_into(form, data, place + offset, value)
        return bytes(data)

    return make


def overlapping(honest):
    """Two entries of the directory point at one place."""
    data = bytearray(honest.data)
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 1)
    third = data.index(b"PK\x01\x02", second + 1)
    data[third + 42 : third + 46] = data[second + 42 : second + 46]
    return bytes(data)


def ending(**changes):
    """Another number in the zip's last record."""
    fields = {"disk": 4, "first": 6, "here": 8, "count": 10, "size": 12, "offset": 16, "comment": 20}

    def make(honest):
        data = bytearray(honest.data)
        end = data.rindex(b"PK\x05\x06")
        for name, value in changes.items():
            struct.pack_into("<L" if name in ("size", "offset") else "<H", data, end + fields[name], value)
        return bytes(data)

    return make


def zip64(count=None, index=None, offset=None, *, place=0):
    """A zip64 end that says something, in front of one that refers to it."""

    def make(honest):
        data = honest.data
        end = data.rindex(b"PK\x05\x06")
        _, _, _, _, true_count, true_index, true_offset, _ = struct.unpack("<4s4H2LH", data[end:])
        numbers = [
            count if count is not None else true_count, count if count is not None else true_count,
            index if index is not None else true_index, offset if offset is not None else true_offset,
        ]  # fmt: skip
        large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, *numbers)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end + place, 1)
        last = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
        return data[:end] + large + locator + last

    return make


def hidden_zip64(count, index):
    """The usual end is true; what `zipfile` believes stands before it."""

    def make(honest):
        data, end = zip64(count=count, index=index)(honest), honest.data.rindex(b"PK\x05\x06")
        return data[: -len(honest.data[end:])] + honest.data[end:]

    return make


def stored_with_wrong_crc(honest):
    data = bytearray(sealed(honest, honest.files, method=zipfile.ZIP_STORED))
    place = data.index(honest.files[honest.any][:40])
    data[place + 10] ^= 1
    return bytes(data)


def of_method(method):
    return lambda honest: sealed(honest, honest.files, method=method)


def two_manifests(honest):
    return zipped([(MANIFEST, honest.manifest()), *honest.files.items(), (MANIFEST, honest.manifest())])


def glued(before=b"", after=b""):
    return lambda honest: before + honest.data + after


LIES = [
    *(bomb(size) for size in (FREE + 2**24, 10**6)),
    nested,
    overlapping,
    *(patched(24, "<L", size) for size in (0, 1, 10**6, 2**31, 2**32 - 1)),  # the size it unpacks to
    *(patched(20, "<L", size) for size in (0, 1, 2**31, 2**32 - 1)),  # the size it is packed to
    patched(16, "<L", 0),  # the checksum
    *(patched(8, "<H", flag) for flag in (1, 8, 32, 64, 0x2000, 0xFFFF)),
    *(patched(10, "<H", method) for method in (1, 9, 12, 14, 93, 99, 0xFFFF)),
    *(patched(42, "<L", offset) for offset in (1, 2**31, 2**32 - 1)),  # where it stands
    *(patched(28, "<H", length) for length in (0, 1, 0xFFFF)),  # the length of its name
    *(patched(30, "<H", length) for length in (4, 0xFFFF)),  # the length of what is added
    *(patched(32, "<H", length) for length in (4, 0xFFFF)),  # the length of its comment
    *(patched(34, "<H", disk) for disk in (1,)),
    *(patched(6, "<H", version) for version in (63, 99)),  # needed to extract
    patched(0, "<L", 0, of=b"PK\x03\x04"),
    patched(8, "<H", 99, of=b"PK\x03\x04"),
    patched(26, "<H", 3, of=b"PK\x03\x04"),
    ending(disk=1),
    ending(first=1),
    *(ending(here=count, count=count) for count in (0, 1, 5, 0xFFFE, 0xFFFF)),
    ending(here=1),
    *(ending(size=size) for size in (0, 1, 2**31, 2**32 - 1)),
    *(ending(offset=offset) for offset in (0, 1, 2**31, 2**32 - 1)),
    *(ending(comment=length) for length in (1, 0xFFFF)),
    *(zip64(count=count) for count in (0, 1, 200_002, 2**62)),
    *(zip64(index=index) for index in (0, 1, 2**27, 2**62)),
    *(zip64(offset=offset) for offset in (0, 1, 2**62)),
    *(zip64(place=place) for place in (-1, 1, 2**40)),
    *(hidden_zip64(count, index) for count, index in ((0, None), (2**40, None), (None, 2**27), (1, 46))),
    stored_with_wrong_crc,
    of_method(zipfile.ZIP_BZIP2),
    of_method(zipfile.ZIP_LZMA),
    two_manifests,
    glued(after=b"\x00"),
    glued(after=b"PK\x05\x06" + bytes(18)),
    glued(after=b"x" * 1000),
    glued(before=b"#!/bin/sh\n"),
    glued(before=b"MZ" + bytes(500)),
    glued(before=bytes(8) + b"{}"),
    lambda honest: honest.data + honest.data,
    lambda honest: b"PK\x05\x06" + bytes(18),
    lambda honest: b"PK",
    lambda honest: b"",
    lambda honest: zlib.compress(honest.data),
]


# Manifests that lie.


def manifest(change):
    """The archive with another manifest: {"format": ..., "kind": ..., "suite": ..., "files": ...}, or its text."""

    def make(honest):
        value = json.loads(honest.manifest())
        told = change(value, honest)
        text = told if isinstance(told, (str, bytes)) else json.dumps(value if told is None else told)
        return zipped([(MANIFEST, text), *honest.files.items()])

    return make


def of_file(value):
    return manifest(lambda told, honest: told["files"].update({honest.any: value}))


def field(name, value):
    return manifest(lambda told, _: told.update({name: value}))


DIGEST = "0" * 64
MANIFESTS = [
    *(field("format", value) for value in (1, 4, 10**30, 0, -1, "1", 1.0, True, None, [], {})),
    *(field("kind", value) for value in ("zip", None, 1, [])),
    *(field("suite", value) for value in (None, 1, [], {}, "toy", {**KEPT, "name": "../toy"}, {**KEPT, "file": "/etc/passwd"})),
    *(field("files", value) for value in (None, 1, [], "x", {})),
    field("more", 1),
    *(manifest(lambda told, _, name=name: told.pop(name) and None) for name in ("format", "kind", "suite", "files")),
    *(of_file(value) for value in (None, 1, "x", [], {}, [1], [1, DIGEST, 1], ["1", DIGEST], [1.0, DIGEST])),
    *(of_file(value) for value in ([-1, DIGEST], [True, DIGEST], [1, None], [1, "0"], [1, DIGEST.upper() + "x"])),
    *(of_file(value) for value in ([1, "z" * 64], [2**70, DIGEST], [2**40, DIGEST], [0, DIGEST], [10, DIGEST])),
    manifest(lambda told, honest: told["files"][honest.any].__setitem__(1, DIGEST)),
    manifest(lambda told, honest: told["files"].pop(honest.any) and None),
    manifest(lambda told, honest: told["files"].update({f"{UNIT}/record.json": [1, DIGEST]})),
    manifest(lambda told, honest: told["files"].update({"../x": [1, DIGEST]})),
    *(manifest(lambda *_, text=text: text) for text in ("", "{", "[]", "null", "1", '"x"', "NaN", '{"format":NaN}')),
    *(manifest(lambda *_, text=text: text) for text in ("[" * 100_000, '{"a":' * 100_000, "\ud800".encode("utf-8", "surrogatepass"))),
    *(manifest(lambda *_, text=text: text) for text in (b"\xff\xfe{}", b"\x00", "9" * 5000, b"\x80\x04cos\nsystem\n.")),
    manifest(lambda told, _: json.dumps(told).replace('"format": 3', '"format": Infinity')),
    manifest(lambda told, _: json.dumps(told).replace('"format": 3', '"format": 1e999')),
    lambda honest: zipped(list(honest.files.items())),
    lambda honest: zipped([(MANIFEST, honest.manifest()), *list(honest.files.items())[1:]]),
    lambda honest: zipped([(MANIFEST, honest.manifest({}))]),
]  # fmt: skip


# Tensors and records that lie, in archives that are well made, digests and all.


def resealed(honest, name, data):
    """The archive with another file, whose digest the record and the manifest know."""
    files = dict(honest.files)
    files[name] = data
    record_name = f"{name.rpartition('/')[0]}/record.json"
    if name != record_name:
        record = json.loads(files[record_name])
        record["digests"]["files"][name.rpartition("/")[2]] = sha256(data).hexdigest()
        files[record_name] = json.dumps(record).encode()
    return sealed(honest, files)


def tensors(file, change):
    """Another safetensors file in the first ticket: its bytes, or its header, are changed."""

    def make(honest):
        name = next(each for each in honest.files if "/ticket/" in each and each.endswith(f"/{file}"))
        return resealed(honest, name, change(honest.files[name]))

    return make


def header(change):
    """Another header of a safetensors file."""

    def edit(data):
        length = int.from_bytes(data[:8], "little")
        told = json.loads(data[8 : 8 + length])
        text = change(told)
        text = (text if isinstance(text, str) else json.dumps(told)).encode()
        return len(text).to_bytes(8, "little") + text + data[8 + length :]

    return edit


def entry(name, key, value):
    return header(lambda told: told[name].update({key: value}))


def arrays(change):
    def edit(data):
        found = {name: each.copy() for name, each in load(data).items()}
        change(found)
        return save(found)

    return edit


MASK, FINAL = "mask.safetensors", "final.safetensors"
TENSORS = [
    *(tensors(file, lambda data, size=size: size.to_bytes(8, "little") + data[8:]) for file in (MASK, FINAL)
      for size in (0, 1, 7, 2**31, 2**62, 2**64 - 1)),
    *(tensors(MASK, lambda data, at=at: data[:at]) for at in (0, 1, 7, 8, 9, 60, -1)),
    tensors(MASK, lambda data: data + b"\x00"),
    tensors(MASK, lambda _: b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR."),
    tensors(FINAL, lambda _: b"PK\x03\x04 a pickle of torch"),
    *(tensors(MASK, header(lambda _, text=text: text)) for text in ("", "{", "[]", "NaN", "[" * 100_000)),
    *(tensors(MASK, entry("a.weight", "dtype", value)) for value in ("U8", "F32", "O", None, 1, "bool")),
    *(tensors(MASK, entry("a.weight", "shape", value)) for value in ([], [40], [5, 8], [-8, -5], [2**40, 2**40], "x", None)),
    *(tensors(MASK, entry("a.weight", "data_offsets", value))
      for value in ([0, 1], [-1, 39], [40, 0], [1, 41], [0, 2**40], [0], None, "x", [0.0, 40.0])),
    tensors(MASK, header(lambda told: told.update({"a.weight": told["b.weight"]}))),
    tensors(MASK, header(lambda told: told.update({"__metadata__": {"a": 1}}))),
    tensors(MASK, header(lambda told: told.update({"a.weight\n": told.pop("a.weight")}))),
    tensors(MASK, header(lambda told: json.dumps(told)[:-1] + ',"a.weight":{"dtype":"BOOL","shape":[0],"data_offsets":[0,0]}}')),
    tensors(MASK, lambda data: data[:-1] + b"\x02"),
    tensors(MASK, lambda data: data[:-1] + b"\xff"),
    tensors(MASK, arrays(lambda found: found.clear())),
    tensors(MASK, arrays(lambda found: found.pop("a.weight"))),
    tensors(MASK, arrays(lambda found: found.update({"c.weight": np.ones(3, bool)}))),
    tensors(MASK, arrays(lambda found: found["a.weight"].fill(True))),
    tensors(MASK, arrays(lambda found: found["a.weight"].fill(False))),
    tensors(MASK, arrays(lambda found: found.update({"a.weight": found["a.weight"].T.copy()}))),
    tensors(FINAL, arrays(lambda found: found["weights/a.weight"].fill(np.nan))),
    tensors(FINAL, arrays(lambda found: found["weights/a.bias"].fill(np.inf))),
    tensors(FINAL, arrays(lambda found: found["weights/a.weight"].fill(1.0))),
    tensors(FINAL, arrays(lambda found: found.pop("weights/a.weight"))),
    tensors(FINAL, arrays(lambda found: found.update({"weights/a.weight": np.zeros(3, "f4")}))),
    tensors(FINAL, arrays(lambda found: found.update({"weights/../x": np.zeros(3, "f4")}))),
    tensors(FINAL, arrays(lambda found: found.clear())),
]  # fmt: skip


def record(*path, value=None, text=None, of="random-ticket"):
    """Another value in a record; a `text` takes the place of the value's JSON."""

    def make(honest):
        name = next(each for each in honest.files if f"/{of}/" in each and each.endswith("record.json"))
        told = json.loads(honest.files[name])
        place = told
        for each in path[:-1]:
            place = place[each]
        place[path[-1]] = "\x01here" if text else value
        data = json.dumps(told)
        return resealed(honest, name, (data.replace('"\\u0001here"', text) if text else data).encode())

    return make


def whole(data, file="record.json"):
    def make(honest):
        name = next(each for each in honest.files if "/random-ticket/" in each and each.endswith(file))
        return resealed(honest, name, data)

    return make


def more(file, data):
    """A file that only units of format 1 have."""

    def make(honest):
        unit = next(name for name in honest.files if "/random-ticket/" in name).rpartition("/")[0]
        return sealed(honest, {**honest.files, f"{unit}/{file}": data})

    return make


ODD = (None, True, -1, 1.5, 10**400, "x", [], {}, [[]], {"a": {}})
EVIL = (
    "<script>alert(1)</script>",
    "a\nb",
    "\x1b[2J\x1b]0;x\x07",
    "\u202eevil",
    "\x00",
    "x" * 10_000,
    "../../x",
    "\ud800",
)
FIELDS = (
    "format", "unit_id", "spec", "status", "metrics", "counts", "density", "density_weights", "density_total",
    "steps", "updates", "search_cost", "wall_seconds", "parents", "provenance", "digests", "nulls", "overlap",
    "effective_density", "flops", "env_steps", "peak_memory_bytes", "reason",
)  # fmt: skip
HARMLESS = [
    ("overlap", None),
    ("effective_density", None),
    ("flops", None),
    ("env_steps", None),
    ("reason", None),
    ("parents", {}),
    ("nulls", {}),
]
"""What an honest random ticket says."""
HARMLESS_KINDS = {("env_steps", int), ("provenance", dict), ("peak_memory_bytes", int), ("wall_seconds", float)}
"""What is told of the machine, and cannot be checked."""
RECORDS = [
    *(record(name, value=value) for number, name in enumerate(FIELDS) for value in ODD[number % 3 :: 3]
      if (name, value) not in HARMLESS and (name, type(value)) not in HARMLESS_KINDS),
    *(record("spec", name, value=value) for name in ("level", "seed", "task", "method", "parents", "spec_version")
      for value in ODD[:8:2]),
    *(record("spec", "task", name, value=value) for name in ("name", "scale", "version", "budget", "pruning", "splits", "directions")
      for value in ODD[1:8:2]),
    *(record("spec", part, "name", value=value) for part in ("task", "method") for value in EVIL),
    *(record("counts", "layers", value={value: {"all": 1, "prunable": 1, "kept": 1}}) for value in EVIL),
    *(record("provenance", "machine", value=value) for value in EVIL[1:6] + EVIL[7:]),
    *(record("unit_id", value=value) for value in EVIL),
    *(record("wall_seconds", text=text) for text in ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000)),
    record("nulls", text="[" * 100_000),
    record("nulls", text='{"a":' * 900 + "1" + "}" * 900),
    record("spec", "seed", value=1),
    record("spec", "level", value=True),
    record("density", value=0.1),
    record("metrics", 0, "value", value=99.0),
    record("digests", "result", value=DIGEST),
    record("digests", "mask", value=DIGEST),
    record("digests", "files", value={}),
    record("counts", "layers", "a.weight", "kept", value=1),
    record("parents", value={DIGEST: DIGEST}),
    *(whole(data) for data in (b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"spec": {}, "digests": {}}')),
    *(record("curve", text=text) for text in ("[", "[]", "[NaN]", "null", "[" * 100_000, '[{"step": 1}]', "[1]", "{}")),
    *(more(name, data) for name in ("spec.json", "curve.jsonl") for data in (b"", b"{}", b"[" * 100_000)),
]  # fmt: skip

MUTANTS = {"structure": STRUCTURES, "zip": LIES, "manifest": MANIFESTS, "tensors": TENSORS, "record": RECORDS}


def test_the_honest_archive_is_believed(honest, given):
    assert given(honest.data) == honest.store
    assert given(sealed(honest, honest.files)) == honest.store, "and what the mutants are made with"
    assert given(sealed(honest, honest.files, method=zipfile.ZIP_STORED)) == honest.store
    assert given(zip64()(honest)) == honest.store
    name = next(each for each in honest.files if each.endswith(MASK))
    assert given(resealed(honest, name, honest.files[name])).keys() == honest.store.keys()


def test_there_are_more_than_two_hundred():
    assert sum(map(len, MUTANTS.values())) + len(TICKETS) >= 400


@pytest.mark.parametrize("kind", MUTANTS)
def test_no_mutant_is_believed(honest, given, kind):
    found = {number: given(make(honest)) for number, make in enumerate(MUTANTS[kind])}
    believed = {number: each for number, each in found.items() if not isinstance(each, str)}
    if kind == "zip":
        believed = {number: each for number, each in believed.items() if each != honest.store}
    assert list(believed) == []


REASONS = [
    *((of_mode(mode), "is no plain file") for mode in MODES),
    (twice(lambda name: name), "twice"),
    (case_folded, "twice"),
    (glued(before=b"#!/bin/sh\n"), "something stands before it"),
    (glued(before=b"MZ" + bytes(500)), "something stands before it"),
    (glued(after=b"\x00"), "something follows it"),
    *((ending(here=count, count=count), "does not count its files") for count in (1, 5, 0xFFFE)),
    *((zip64(count=count), "") for count in (0, 1)),
    *((patched(20, "<L", size), "overlap") for size in (2**31, 2**32 - 2)),
    *((patched(8, "<H", flag), "is no plain file") for flag in (1, 64)),
]
"""Mutants whose files may be honest, and which are refused for what the zip is."""


@pytest.mark.parametrize("number", range(len(REASONS)))
def test_what_is_no_plain_zip_is_refused_whatever_it_holds(honest, given, number):
    make, reason = REASONS[number]
    found = given(make(honest))
    assert isinstance(found, str)
    assert reason in found


def test_a_bomb_never_explodes(honest, given, monkeypatch):
    """Refused by what it says, before a byte is unpacked."""
    monkeypatch.setattr(unpacking, "_write", lambda *_: pytest.fail("it was unpacked"))
    for make in (LIES[0], overlapping_many):
        assert "nothing was unpacked" in given(make(honest))


def overlapping_many(honest):
    """One packed file, and many entries that point at it."""
    zeros = bytes(2**20)
    names = [f"toy/chain/dense/s{number}/L00-0123456789/record.json" for number in range(100)]
    files = dict.fromkeys(names, zeros)
    data = bytearray(sealed(honest, files))
    place, first = data.index(b"PK\x01\x02"), None
    while (place := data.find(b"PK\x01\x02", place + 1)) > 0:
        first = first or bytes(data[place + 42 : place + 46])
        data[place + 42 : place + 46] = first
    return bytes(data)


def test_a_truncated_archive_is_refused_wherever_it_ends(honest, given):
    size = len(honest.data)
    for at in [*range(64), *range(64, size, size // 60), *range(size - 30, size)]:
        assert isinstance(given(honest.data[:at]), str), at


def test_a_flipped_byte_is_refused_or_changes_nothing(honest, given):
    chance, size = random.Random(0), len(honest.data)
    directory = honest.data.index(b"PK\x01\x02")
    places = [chance.randrange(size) for _ in range(100)] + [chance.randrange(directory, size) for _ in range(60)]
    refused = 0
    for place in places:
        data = bytearray(honest.data)
        data[place] ^= 1 << chance.randrange(8)
        found = given(bytes(data))
        refused += isinstance(found, str)
        assert isinstance(found, str) or found == honest.store, place
    assert refused > len(places) * 0.7


# Ticket files.


@pytest.fixture
def ticket(finished, suite_file, tmp_path):
    store = Store(finished)
    folder = next((finished / "toy/chain/ticket/s0").glob("L03-*"))
    dense = next((finished / "toy/chain/dense/s0").glob("L00-*"))
    state = {"step": 10, "updates": 10, "origin": 0, "scalars": {}}
    rewind = save(load_file(dense / "rewind.safetensors"), metadata={"state": canonical_json(state)})
    (dense / "rewind.safetensors").write_bytes(rewind)
    toy.seal(dense)
    write_ticket(store, folder, tmp_path / "honest.ticket")
    return (tmp_path / "honest.ticket").read_bytes()


def ticket_findings(data, folder):
    """What is found in a ticket file, or why it is refused; nothing is written but below `folder`."""
    path = folder / "mutant.ticket"
    path.write_bytes(data)
    try:
        read = read_ticket(path)
        root = folder / "root"
        found = findings_of_ticket(root, unfold(read, root)).findings
    except SubmissionError as error:
        found = [str(error)]
    names = {str(each.relative_to(folder)).partition("/")[0] for each in folder.rglob("*")}
    assert names <= {"mutant.ticket", "root"}
    return found


def metadata(name, change):
    """Another text in a ticket file's metadata."""

    def edit(data):
        def put(told):
            told["__metadata__"][name] = change(told["__metadata__"][name])

        return header(put)(data)

    return edit


def inside(name, *path, value):
    def change(text):
        told = json.loads(text)
        place = told
        for each in path[:-1]:
            place = place[each]
        place[path[-1]] = value
        return json.dumps(told)

    return metadata(name, change)


TICKETS = [
    *(lambda data, size=size: size.to_bytes(8, "little") + data[8:] for size in (0, 1, 2**31, 2**64 - 1)),
    *(lambda data, at=at: data[:at] for at in (0, 7, 8, 100, 1000, -1)),
    *(metadata(name, lambda _, text=text: text) for name in ("kind", "format", "shapes", "state", "record", "curve")
      for text in ("", "{", "[]", "NaN", "[" * 50_000, "null", "3")),
    *(inside("record", "spec", "task", "name", value=value) for value in (*EVIL, *ODD)),
    *(inside("record", "spec", "method", "name", value=value) for value in (*EVIL, *ODD)),
    *(inside("record", "spec", "level", value=value) for value in ODD),
    *(inside("record", "spec", "seed", value=value) for value in ODD),
    *(inside("record", "reason", value=value) for value in (*EVIL[:6], EVIL[7], 1, [])),
    *(inside("record", name, value=value) for name in ("counts", "metrics", "digests", "density", "overlap") for value in ODD[3:8]),
    *(inside("state", "step", value=value) for value in (None, -1, 0, 11, 30, "10", 10.5)),
    *(inside("shapes", "a.weight", value=value) for value in ODD),
    *(entry("weights/a.weight", "dtype", value) for value in ("I32", "BOOL", "U8", "BF16")),
    arrays(lambda found: found.pop("mask/a.weight")),
    arrays(lambda found: found.pop("weights/a.weight")),
]  # fmt: skip


def test_the_honest_ticket_is_believed(ticket, tmp_path):
    (tmp_path / "x").mkdir()
    assert ticket_findings(ticket, tmp_path / "x") == []


def test_no_mutant_of_a_ticket_file_is_believed(ticket, tmp_path):
    believed = []
    for number, make in enumerate(TICKETS):
        folder = tmp_path / f"t{number}"
        folder.mkdir()
        found = ticket_findings(make(ticket), folder)
        believed += [] if found else [number]
        assert all(line.isprintable() and len(line) < 1200 for line in found)
    assert believed == []


def test_a_flipped_byte_of_a_ticket_file_is_found_or_changes_nothing(ticket, tmp_path):
    """The weights that it starts from have no digest: training from the seed shows them, see `--retrain`."""
    chance = random.Random(1)
    length = 8 + int.from_bytes(ticket[:8], "little")
    told = json.loads(ticket[8:length])
    masks = [value["data_offsets"] for name, value in told.items() if name.startswith("mask/")]
    places = [chance.randrange(length) for _ in range(60)]
    places += [length + place for start, stop in masks for place in range(start, stop)]
    for number, place in enumerate(places):
        folder = tmp_path / f"f{number}"
        folder.mkdir()
        data = bytearray(ticket)
        data[place] ^= 1 << chance.randrange(7)
        if not ticket_findings(bytes(data), folder):
            was, now = (json.loads(each[8:length])["__metadata__"] for each in (ticket, bytes(data)))
            left = {name for name in was if was[name] != now[name]}
            assert left <= {"record", "curve", "state"}, place
            assert place < length


# The command.


def test_the_command_says_one_line_and_goes_on_living(command, honest, ticket, tmp_path):
    makers = [group[number] for group in MUTANTS.values() for number in range(0, len(group), len(group) // 5)][:24]
    outer = tmp_path / "outer"
    outer.mkdir()
    for number, make in enumerate(makers):
        path = outer / "mutant"
        path.write_bytes(make(honest))
        for words in (("unpack", path, "--into", outer / "new"), ("verify", path)):
            code, out, err = command(*words)
            if code == 0:  # the same content in another zip
                assert make in LIES
                assert words[0] == "verify" or content(outer / "new") == honest.store
                shutil.rmtree(outer / "new", ignore_errors=True)
                continue
            assert "Traceback" not in out + err
            assert all(line.isprintable() for line in (out + err).splitlines())
            if code == 2:
                assert (out, err.count("\n")) == ("", 1), err
                assert err.startswith("ticketbench: ")
            else:
                assert words[0] == "verify"
                assert err == ""
            assert listing(outer) == ["mutant"], number


def test_mutants_leave_no_warning_and_no_open_file(honest, given):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for make in (*STRUCTURES[:3], *LIES[:6], *MANIFESTS[:3]):
            given(make(honest))


def test_verify_of_an_archive_finds_what_unpack_refuses(honest, tmp_path):
    """The same checks stand behind both."""
    name = next(each for each in honest.files if "/ticket/" in each and each.endswith("record.json"))
    told = json.loads(honest.files[name])
    told["density"] = 0.01
    path, folder = tmp_path / "x.zip", tmp_path / "x"
    path.write_bytes(resealed(honest, name, json.dumps(told).encode()))
    folder.mkdir()
    extract(path, folder)
    first = findings_of(folder).findings[0]
    with pytest.raises(SubmissionError) as refused:
        unpack(path, tmp_path / "new")
    assert first in str(refused.value)
