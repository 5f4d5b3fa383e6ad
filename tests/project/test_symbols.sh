#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# libgenesis exports gn_*, but no internal gn__*; a plugin exports gn_backend_entry alone.
set -u
failed=0

# exported FILE: the names that it defines for others. The linker's own and the sanitizers' don't count.
exported() {
    $NM -D --defined-only "$1" | awk '$3 !~ /^(_init|_fini|_edata|_end|__bss_start|_ITM_.*|__(a|ub|t)san_.*|__odr_asan.*)$/ { print $3 }'
}

fail() {
    echo "FAIL: $1 exports:"
    echo "$2"
    failed=1
}

library=$top_builddir/libgenesis/.libs/libgenesis.so
names=$(exported "$library")
[ -n "$names" ] || fail "$library" "nothing"
wrong=$(echo "$names" | grep -v '^gn_[^_]' || true)
[ -z "$wrong" ] || fail "$library" "$wrong"

for plugin in "$top_builddir"/backends/*/.libs/genesis_*.so "$top_builddir"/plugins/*/.libs/genesis_*.so; do
    [ -e "$plugin" ] || continue
    names=$(exported "$plugin")
    [ "$names" = gn_backend_entry ] || fail "$plugin" "$names"
done
exit $failed
