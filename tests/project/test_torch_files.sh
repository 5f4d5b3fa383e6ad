#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Files of PyTorch, safetensors and NumPy go through Genesis and back unchanged, and a checkpoint of
# Genesis is what PyTorch expects. Runs where GENESIS_TEST_PYTHON (python3) has torch.
set -u
python=${GENESIS_TEST_PYTHON-python3}
if ! reason=$("$python" -c 'import torch, numpy, safetensors' 2>&1); then
    echo "SKIP: $python can't import torch, numpy and safetensors: $(echo "$reason" | tail -n 1)"
    exit 77
fi
folder=$(mktemp -d) || exit 99
trap 'rm -rf "$folder"' EXIT
GENESIS_PLUGIN_PATH=$top_builddir/plugins/ref/.libs
GENESIS_DEVICE=ref
export GENESIS_PLUGIN_PATH GENESIS_DEVICE
exec "$python" "$top_srcdir/tests/project/torch_files.py" "$top_builddir/tools/genesis/genesis" \
    "$top_builddir/samples/06_checkpoint" "$folder"
