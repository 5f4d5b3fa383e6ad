#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run by `make installcheck`, with $libdir, $bindir, $CC and $CFLAGS: a program that knows nothing but
# pkg-config compiles against the installed library, finds the installed plugins and runs.
set -eu
PKG_CONFIG_PATH=$libdir/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
LD_LIBRARY_PATH=$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PKG_CONFIG_PATH LD_LIBRARY_PATH
unset GENESIS_PLUGIN_PATH GENESIS_DEVICE

plugins=$(pkg-config --variable=plugindir genesis-backend)
ls "$plugins"/genesis_ref.so
if ls "$plugins" "$libdir" | grep '\.la$' | grep -v '^libgenesis\.la$'; then
    echo "FAIL: libtool's .la files of plugins are installed"
    exit 1
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for sample in "$srcdir"/samples/01_*.c; do
    $CC $CFLAGS $(pkg-config --cflags genesis) "$sample" -o "$folder/sample" $(pkg-config --libs genesis)
    GENESIS_DEVICE=ref "$folder/sample"
done
"$bindir/genesis" devices
