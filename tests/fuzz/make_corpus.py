#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes corpus/, what the fuzz targets begin with, from tests/fixtures.

usage: make_corpus.py
"""
import pathlib
import shutil
import zipfile

here = pathlib.Path(__file__).parent
fixtures = here.parent / "fixtures"


def seed(target, name, contents):
    folder = here / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(contents)


shutil.rmtree(here / "corpus", ignore_errors=True)
for target, names in {
    "safetensors": ["python.safetensors"],
    "pth": ["torch.pth", "old.pth"],
    "npy": ["numpy.npy"],
    "npz": ["numpy.npz"],
    "image": ["ankle_boot.png", "ankle_boot.jpg"],
}.items():
    for name in names:
        seed(target, name, (fixtures / name).read_bytes())
for name in ("torch", "training"):
    with zipfile.ZipFile(fixtures / f"{name}.pth") as archive:
        seed("pickle", name, archive.read(f"{name}/data.pkl"))
# what newer protocols write, a value that is referred to twice, a cycle
seed("pickle", "protocol4", b"\x80\x04\x95\x07\0\0\0\0\0\0\0}\x94\x8c\x01b\x94K\x05s\x8c\x01ch\x01s.")
seed("pickle", "shared", b"}q\0(X\x01\0\0\0a]q\x01(K\x01NeX\x01\0\0\0bh\x01u.")
seed("pickle", "cycle", b"]q\0(h\0e.")
seed("safetensors", "metadata", b"\x20\0\0\0\0\0\0\0" + b'{"__metadata__":{"format":"pt"}} ')
