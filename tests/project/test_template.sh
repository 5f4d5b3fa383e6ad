#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A backend made outside the tree: installs Genesis into a temporary folder, and runs there the
# commands of docs/backend-howto.md as they stand, from the copy of the template to an installed
# plugin for the invented device `acme`. The template compiles without a warning as strict C11, too.
set -u
[ "$sanitizers" = no ] || {
    echo "SKIP: a program for libgenesis with sanitizers needs them, too; ref has the same code"
    exit 77
}
top=$(mktemp -d) || exit 99
trap 'rm -rf "$top"' EXIT
root=$top/root
failed=0

fail() {
    echo "FAIL: $*"
    failed=1
}

# Options of the make around this script are not meant for those that it runs.
unset MAKEFLAGS MFLAGS MAKELEVEL
make -C "$top_builddir" -s install DESTDIR="$root" >"$top/log" 2>&1 || {
    cat "$top/log"
    echo "FAIL: make install DESTDIR=.."
    exit 1
}

# From here on what lies in $root is found as if it lay in /, and nothing else of Genesis is.
pc=$(find "$root" -name genesis-backend.pc)
PKG_CONFIG_PATH=${pc%/*}
sed -i "s|^\([a-z_]*=\)/|\1$root/|" "$PKG_CONFIG_PATH"/genesis*.pc
LD_LIBRARY_PATH=$root$libdir${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
mkdir "$top/bin"
printf '#!/bin/sh\nexec %s "$@"\n' "$CC" >"$top/bin/cc"
chmod +x "$top/bin/cc"
PATH=$top/bin:$root$bindir:$PATH
export PKG_CONFIG_PATH LD_LIBRARY_PATH PATH
GENESIS_PLUGIN_PATH=$(pkg-config --variable=plugindir genesis-backend)
export GENESIS_PLUGIN_PATH
unset GENESIS_DEVICE GENESIS_LOG

template=$(pkg-config --variable=templatedir genesis-backend)
GENESIS_CONFORM_DATA=${template%/*}/conform
export GENESIS_CONFORM_DATA
for compiler in cc clang; do
    command -v $compiler >/dev/null || {
        echo "No $compiler: the template was not compiled with it."
        continue
    }
    cp -r "$template" "$top/$compiler"
    make -C "$top/$compiler" -s CC=$compiler \
        CFLAGS='-O2 -pedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror' ||
        fail "the template has warnings with $compiler -std=c11 -pedantic"
done

page=$top_srcdir/docs/backend-howto.md
awk '/^```sh$/ { on = 1; next } /^```$/ { on = 0 } on' "$page" >"$top/howto"
(cd "$top" && sh -ex howto) >"$top/log" 2>&1 || fail "a command of docs/backend-howto.md fails"
cat "$top/log"
[ "$(grep -c '^acme  version .*/acme/genesis_acme.so$' "$top/log")" -eq 2 ] ||
    fail "genesis devices does not show the backend acme"
grep -q '^  acme  *reference' "$top/log" || fail "genesis devices does not show the device acme"
[ "$(grep -c 'linear is composed on acme' "$top/log")" -eq 1 ] ||
    fail "linear is not composed before there is a plan, and planned then"

plugin=$GENESIS_PLUGIN_PATH/genesis_acme.so
[ -e "$plugin" ] || fail "make install leaves no $plugin"
names=$($NM -D --defined-only "$plugin" | awk '{ print $3 }')
[ "$names" = gn_backend_entry ] || fail "the plugin exports: $names"
exit $failed
