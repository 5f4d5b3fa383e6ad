#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The program of the README compiles without a warning.
set -u
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
awk '/^```c$/ { code = 1; next } /^```$/ { code = 0 } code' "$top_srcdir/README.md" >"$dir/train.c"
[ -s "$dir/train.c" ] || {
    echo "FAIL: README.md has no program"
    exit 1
}
$CC -std=c11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I"$top_srcdir/include" "$dir/train.c"
