#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: embed.sh PREFIX FILE..
# Writes C in which each FILE is a string: of NAME.cl PREFIX_source_NAME, and of a prelude, NAME.h,
# PREFIX_prelude.
prefix=$1
shift
echo '/* Made from the files of backends/kernels. */'
for file in "$@"; do
    name=${file##*/}
    case $name in
    *.h) variable=${prefix}_prelude ;;
    *) variable=${prefix}_source_${name%.*} ;;
    esac
    printf '\nextern const char %s[];\nconst char %s[] = ""\n' "$variable" "$variable"
    sed -e 's/[\\"]/\\&/g' -e 's/.*/    "&\\n"/' "$file"
    echo '    ;'
done
