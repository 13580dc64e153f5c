"""Stores as ticketbench wrote them before, for tests of what is still read: format 1 had no curve in its records."""

import json
import zipfile

from safetensors.numpy import save_file

from bench.digests import canonical_json, file_digest
from bench.exchange.manifest import NAME
from bench.store import files
from bench.store.store import Store


def store(root):
    """Turn every unit of a store of this version, and its mark, into what version 1 would have written."""
    for folder in Store(root).folders():
        unit(folder)
    (root / "store.json").write_text(files.to_text({**json.loads((root / "store.json").read_text()), "format": 1}))


def unit(folder):
    """Turn one unit's folder into what version 1 would have written."""
    record = json.loads((folder / "record.json").read_text())
    curve = record.pop("curve")
    (folder / "curve.jsonl").write_text("".join(canonical_json(point) + "\n" for point in curve))
    (folder / "spec.json").write_text(files.to_text(record["spec"]))
    if not (folder / "mask.safetensors").exists():
        save_file({}, folder / "mask.safetensors")
    present = sorted(path for path in folder.iterdir() if path.name != "record.json")
    record["digests"]["files"] = {path.name: file_digest(path) for path in present}
    (folder / "record.json").write_text(files.to_text({**record, "format": 1}))


def archive(path):
    """Turn an archive of an older store into what the version that wrote that store would have packed."""
    with zipfile.ZipFile(path) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    members[NAME] = canonical_json({**json.loads(members[NAME]), "format": 2}).encode()
    with zipfile.ZipFile(path, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
