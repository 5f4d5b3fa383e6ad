# SPDX-License-Identifier: Apache-2.0
"""usage: torch_files.py GENESIS SAMPLE FOLDER: see test_torch_files.sh"""
import collections
import json
import pathlib
import subprocess
import sys

import numpy as np
import safetensors.torch
import torch

genesis, sample, folder = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])


def convert(source, target):
    subprocess.run([genesis, "convert", folder / source, folder / target], check=True)


def same(a, b, where="root"):
    """Equal values of equal types; tuples come back as lists."""
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape, where
        assert torch.equal(a.contiguous().view(-1).view(torch.uint8), b.contiguous().view(-1).view(torch.uint8)), where
    elif isinstance(a, dict):
        assert list(a) == list(b), (where, list(a), list(b))
        for key in a:
            same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, (list, tuple)):
        assert isinstance(b, list) and len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b)):
            same(x, y, f"{where}.{i}")
    else:
        assert type(a) is type(b) and a == b, (where, a, b)


dtypes = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
          torch.float16, torch.bfloat16, torch.float32, torch.float64]
torch.manual_seed(0)
tensors = {str(t): (torch.randn(5, 7) * 50).to(t) for t in dtypes}
tensors |= {
    "transposed": torch.randn(4, 5).t(),
    "part": torch.randn(6, 6)[1:4, ::2],
    "expanded": torch.randn(3, 1).expand(3, 4),
    "scalar": torch.tensor(3.5),
    "empty": torch.zeros(0, 3),
    "large": torch.randn(300000),
    "special": torch.tensor([float("nan"), float("inf"), -0.0]),
    "größe": torch.ones(1),
}

# .pth there and back: a nested checkpoint with all that an optimizer and a scheduler keep
model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 1))
optimizer = torch.optim.AdamW(model.parameters(), amsgrad=True)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
for _ in range(3):
    model(torch.randn(4, 3)).sum().backward()
    optimizer.step()
    scheduler.step()
checkpoint = {
    "tensors": tensors, "model": model.state_dict(), "optimizer": optimizer.state_dict(),
    "scheduler": scheduler.state_dict(), "parameter": model[0].weight, "rng": torch.get_rng_state(),
    "values": [0, 255, 256, -1, 2**31, -(2**63), 2**63 - 1, 0.1, float("inf"), True, False, None, "", "größe"],
    "nested": [[], {}, (), ((1, 2), [3]), collections.OrderedDict(b=1, a=2), {0: 1, -5: 2}],
}
for protocol in (2, 3, 4, 5):
    torch.save(checkpoint, folder / "a.pth", pickle_protocol=protocol)
    convert("a.pth", "b.pth")
    same(checkpoint, torch.load(folder / "b.pth", weights_only=True))
loaded = torch.load(folder / "b.pth", weights_only=True)
model.load_state_dict(loaded["model"])
optimizer.load_state_dict(loaded["optimizer"])
scheduler.load_state_dict(loaded["scheduler"])
assert len(optimizer.state_dict()["state"]) == 6
optimizer.step()

# a shared storage stays one
shared = torch.arange(10.0)
torch.save({"all": shared, "rows": shared.view(2, 5), "same": shared}, folder / "a.pth")
convert("a.pth", "b.pth")
loaded = torch.load(folder / "b.pth", weights_only=True)
assert loaded["all"].data_ptr() == loaded["same"].data_ptr()

# .safetensors and NumPy's
plain = {name: t.contiguous() for name, t in tensors.items()}
safetensors.torch.save_file(plain, folder / "a.safetensors")
convert("a.safetensors", "b.safetensors")
same(dict(sorted(plain.items())), dict(sorted(safetensors.torch.load_file(folder / "b.safetensors").items())))
convert("a.safetensors", "c.pth")
same(dict(sorted(plain.items())), dict(sorted(torch.load(folder / "c.pth", weights_only=True).items())))
arrays = {name: t.numpy() for name, t in tensors.items() if t.dtype != torch.bfloat16}
arrays["fortran"] = np.asfortranarray(np.arange(24).reshape(2, 3, 4))
for save in (np.savez, np.savez_compressed):
    save(folder / "a.npz", **arrays)
    convert("a.npz", "b.npz")
    with np.load(folder / "b.npz") as found:
        assert sorted(found.files) == sorted(arrays)
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype and found[name].tobytes() == array.tobytes(), name
np.save(folder / "a.npy", arrays["fortran"])
convert("a.npy", "b.npy")
assert (np.load(folder / "b.npy") == arrays["fortran"]).all()

# what runs code is refused, and names what it wanted
class Evil:
    def __reduce__(self):
        return print, ("this must not be printed",)


torch.save({"weights": torch.ones(2), "evil": Evil()}, folder / "evil.pth")
refused = subprocess.run([genesis, "inspect", folder / "evil.pth"], capture_output=True, text=True)
assert refused.returncode == 1 and "__builtin__.print" in refused.stderr + refused.stdout, refused
assert "must not" not in refused.stdout

# a checkpoint of Genesis
subprocess.run([sample, folder / "run.pth"], check=True)
run = torch.load(folder / "run.pth", weights_only=True)
assert run["epoch"] == 3 and set(run["rng_state"]) == {"seed", "offset"}
model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Dropout(), torch.nn.Linear(8, 1))
model.load_state_dict(run["model_state_dict"])
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
if "param_groups" in run["optimizer_state_dict"]:
    optimizer.load_state_dict(run["optimizer_state_dict"])
    assert [int(optimizer.state[p]["step"]) for p in model.parameters()] == [3] * 4
    assert optimizer.state[model[0].weight]["exp_avg"].shape == (8, 3)
else:
    assert run["optimizer_state_dict"]["state.0.exp_avg"].shape == (8, 3)
scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=6)
scheduler.load_state_dict(run["scheduler_state_dict"])
assert scheduler.last_epoch == 3
shown = json.loads(subprocess.run([genesis, "inspect", "--json", folder / "run.pth"], check=True,
                                  capture_output=True).stdout)
weight = run["model_state_dict"]["0.weight"].double()
for name, value in {"min": weight.min(), "max": weight.max(), "mean": weight.mean(), "std": weight.std()}.items():
    assert abs(shown["contents"]["model_state_dict"]["0.weight"][name] - float(value)) < 1e-12, name
print("files of PyTorch", torch.__version__, "and NumPy", np.__version__, "go both ways")
