#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Each public header compiles alone, as C11 and as C++20, without a warning.
set -u
failed=0
warnings='-Wall -Wextra -Wpedantic -Wshadow -Werror'

# compile HEADER COMPILER OPTION..
compile() {
    header=$1
    shift
    echo "#include <$header>" | "$@" $warnings -I"$top_srcdir/include" -fsyntax-only - || {
        echo "FAIL: <$header> with $*"
        failed=1
    }
}

for path in "$top_srcdir"/include/genesis/*.h; do
    compile "genesis/${path##*/}" $CC -x c -std=c11 -Wstrict-prototypes
    [ -z "$CXX" ] || compile "genesis/${path##*/}" $CXX -x c++ -std=c++20
done
[ -n "$CXX" ] || echo "No C++ compiler: the headers were compiled as C only."
exit $failed
