#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# backend.h against the frozen copies of it in tests/abi: plugins that were compiled against one of them
# rely on every line of its layout.txt. A later header may add lines, and let structs grow whose size
# travels with them; it may change none. (A break on purpose, below 1.0, raises the minor number and
# GN_ABI_MINOR_MIN, and replaces the copy: docs/versioning.md.)
set -u
if [ "$(getconf LONG_BIT)" != 64 ]; then
    echo "SKIP: the frozen layouts are those of 64-bit machines"
    exit 77
fi
abi=$top_srcdir/tests/abi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0
CC=${CC:-cc}
export CC

fail() {
    echo "FAIL: $*"
    failed=1
}

# differences FROZEN CURRENT: the frozen facts that are facts no more
differences() {
    awk '
    { fact = $1 " " $2 }
    FNR == NR { current[fact] = $0; value[fact] = $3; next }
    # How many dtypes there are is no promise, and these structs come with their size.
    $1 == "enum" && $2 ~ /^GN_N_/ && value[fact] >= $3 { next }
    $1 == "struct" && value[fact] >= $3 && \
        ((("member " $2 ".struct_size") in current) || $2 ~ /^gn_(insn|operand|tensor_desc)$/) { next }
    current[fact] != $0 { print "  was " $0 "\n  is  " (fact in current ? current[fact] : "gone") }
    ' "$2" "$1"
}

"$abi/layout.sh" "$top_srcdir/include" >"$folder/current" || fail "the header's layout can't be printed"
for frozen in "$abi"/[0-9]*; do
    "$abi/layout.sh" "$frozen" >"$folder/frozen"
    cmp -s "$folder/frozen" "$frozen/layout.txt" || fail "$frozen: layout.txt is not that of its header"
    if [ -n "$(differences "$frozen/layout.txt" "$folder/current")" ]; then
        fail "plugins of ABI ${frozen##*/} would break:"
        differences "$frozen/layout.txt" "$folder/current"
    fi
done

# The comparison finds a break, and lets an addition pass: a header changed by sed, and whether it is one.
# Lines of the table: expression, break or addition, what it is.
mkdir -p "$folder/changed/genesis"
while IFS='|' read -r expression verdict what; do
    sed "$expression" "$top_srcdir/include/genesis/backend.h" >"$folder/changed/genesis/backend.h"
    cmp -s "$folder/changed/genesis/backend.h" "$top_srcdir/include/genesis/backend.h" &&
        fail "the expression for $what changes nothing"
    "$abi/layout.sh" "$folder/changed" >"$folder/changed.txt" || fail "$what does not compile"
    found=addition
    [ -z "$(differences "$folder/current" "$folder/changed.txt")" ] || found=break
    [ $found = "$verdict" ] || fail "$what is taken for a $found"
done <<'TABLE'
/(\*program_create)/i void (*early)(void);|break|a function in the middle of the table
/(\*memory_info)/,/;/d|break|a function less
s/(\*scatter)(gn_device \*device,/(*scatter)(gn_device *device, int how,/|break|another parameter
s/uint64_t tag;  /uint32_t tag;  /|break|a smaller member
s/uint32_t n_dims, n_reduced;/uint32_t n_reduced, n_dims;/|break|two members exchanged
s/X(SQRT, 30/X(SQRT, 39/|break|another number for an opcode
s/GN_MAX_DIMS = 12/GN_MAX_DIMS = 16/|break|larger arrays
s/uint64_t offset; \/\* bytes \*\//uint64_t offset, more;/|break|a larger struct whose size is nowhere
/int (\*threads)(void);/a void (*later)(void);|break|a service in front of later ones
s/    X(SELECT, 82/    X(LATER, 83, 1, 0, "an opcode")   \\\n&/|addition|an opcode
/^    uint64_t saved_bytes;/a uint64_t more;|addition|a member at the end
/^ *gn_device \*\*out);/a void (*later)(void);|addition|a function at the end of the table
TABLE

# Plugins built from the frozen headers: the template's code needs no more than the first ABI had.
GENESIS_PLUGIN_PATH=$folder:$top_builddir/plugins/ref/.libs
GENESIS_CONFORM_DATA=$top_srcdir/tools/genesis-conform/fixtures
export GENESIS_PLUGIN_PATH GENESIS_CONFORM_DATA
for frozen in "$abi"/[0-9]*; do
    minor=${frozen##*/}
    name=frozen_$(echo "$minor" | tr . _)
    $CC -std=c11 -fPIC -fvisibility=hidden -DNAME="\"$name\"" -I"$frozen" -shared -Wl,-z,defs \
        "$top_srcdir"/plugins/template/*.c -o "$folder/genesis_$name.so" -lm ||
        fail "no plugin of ABI $minor can be built"
    "$top_builddir/tools/genesis/genesis" devices | grep -q "^$name  version .*, ABI $minor " ||
        fail "genesis devices does not show the plugin of ABI $minor"
    GENESIS_DEVICE=$name "$top_builddir/samples/01_simple_model" | diff "$top_srcdir/samples/01_simple_model.out" - ||
        fail "a program does not run on the plugin of ABI $minor"
    "$top_builddir/tools/genesis-conform/genesis-conform" --quiet --no-speed --device "$name" >"$folder/log" 2>&1 || {
        cat "$folder/log"
        fail "the plugin of ABI $minor does not pass genesis-conform"
    }
    tail -n 1 "$folder/log"
done

[ $failed -ne 0 ] || echo "The header keeps what plugins of $(cd "$abi" && echo [0-9]*) rely on."
exit $failed
