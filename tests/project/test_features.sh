#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# docs/features.md tells the truth: no ID is missing or there twice, its headers declare what it names,
# the library exports it, and its tests are among those that `make check` runs. FEATURES: another file.
set -u
features=${FEATURES-$top_srcdir/docs/features.md}
include=$top_srcdir/include/genesis
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT

# What rows name, as "ID test PROGRAM NAME", "ID script NAME", ..: see the page's first section.
awk -F ' *[|] *' '/^[|] [A-Z][0-9][0-9] [|]/ {
    if ($6 == "") next
    items = split($6, item, / *; */)
    for (i = 1; i <= items; i++) {
        colon = index(item[i], ":")
        place = colon ? substr(item[i], 1, colon - 1) : item[i]
        kind = split(place, word, " ") == 2 ? word[1] : "test"
        names = split(colon ? substr(item[i], colon + 1) : "-", name, ",")
        for (n = 1; n <= names; n++) {
            gsub(/^ +| +$/, "", name[n])
            print $2, kind, word[kind == "test" ? 1 : 2], name[n]
        }
    }
}' "$features" >"$dir/named"

# in_list LIST WORD: whether a list of sources.mk has it
in_list() {
    sed -n "/^$1 = /,/[^\\\\]\$/p" "$top_srcdir/sources.mk" | grep -q "[[:space:]]$2\( \\\\\)\{0,1\}\$"
}

# tests PROGRAM: the names of its tests. The device does not matter.
tests() {
    in_list unit_tests "tests/$1" || return
    for device in cpu ref; do
        GENESIS_TEST_LIST=1 sh "$top_builddir/tests/run-one" $device "tests/$1" && return
    done
}

# cases GROUP: the operations of a table of genesis-conform's
cases() {
    grep -q "^$1/" "$dir/conform" || return
    echo -
    table=$top_srcdir/tools/genesis-conform/fixtures/ops_${1#library/}.txt
    [ ! -e "$table" ] || awk '$1 == "case" { print $2; sub(/^gn_/, "", $2); print $2 }' "$table"
}

checked="test conform sample script"
if [ ! -e "$top_builddir/tests/libtesting.la" ]; then
    echo "The names of unit tests are not checked: configure did not find Check"
    checked="conform sample script"
fi
sh "$top_builddir/tests/run-one" ref tools/genesis-conform/genesis-conform --list >"$dir/conform"
for kind in $checked; do
    awk -v kind="$kind" '$2 == kind { print $3 }' "$dir/named" | sort -u | while read -r place; do
        case $kind in
        test) tests "$place" | sed 's/^test_//' ;;
        conform) cases "$place" ;;
        sample) in_list checked_samples "samples/$place" && echo - ;;
        script) in_list project_tests "tests/project/$place.sh" && echo - ;;
        esac | sort -u | sed "s,^,$kind $place ,"
    done
done >"$dir/there"
awk -v checked=" $checked " '
    FILENAME != ARGV[2] { there[$0] = 1; next }
    $2 !~ /^(test|conform|sample|script)$/ { print $1 ": what is \"" $2 " " $3 "\"?"; next }
    index(checked, " " $2 " ") && !(($2 " " $3 " " $4) in there) {
        print $1 ": no " $2 " " $3 ($4 == "-" ? "" : ": " $4)
    }' "$dir/there" "$dir/named" >"$dir/faults"

# Headers without comments, each definition of a macro on one line.
for header in "$include"/*.h "$include"/*.def; do
    awk -v header="${header##*/}" '
        { text = text (sub(/\\$/, " ") ? $0 : $0 "\n") }
        END {
            while ((start = index(text, "/*")) > 0) {
                rest = substr(text, start + 2)
                text = substr(text, 1, start - 1) " " substr(rest, index(rest, "*/") + 2)
            }
            lines = split(text, line, "\n")
            for (i = 1; i <= lines; i++)
                print header, line[i]
        }' "$header"
done >"$dir/headers"
$NM -D --defined-only "$top_builddir/libgenesis/.libs/libgenesis.so" | awk '{ print $3 }' >"$dir/exports"

# The rows: IDs as the headings say, names declared and exported.
awk -F ' *[|] *' -v exports="$dir/exports" -v headers="$dir/headers" '
function fault(text) { print $2 ": " text }

# Whether a function is exported, or a macro that calls one.
function exported(name, depth, word, words, n, i) {
    if (name in is_exported) return 1
    if (!(name in body) || depth > 3) return 0
    n = split(body[name], words, /[^A-Za-z0-9_]+/)
    for (i = 1; i <= n; i++)
        if (words[i] ~ /^gn_/ && words[i] != name && exported(words[i], depth + 1)) return 1
    return 0
}

function check_name(name, row_headers, header, n, i, found) {
    n = split(row_headers, header, /, */)
    for (i = 1; i <= n; i++)
        if ((header[i], name) in declared) {
            found = 1
            used[header[i]] = 1
        }
    if (!found) fault(name " is not declared in " row_headers)
    else if (name ~ /^gn_/ && !(name in type) && !exported(name, 0)) fault(name " is not exported")
}

function check_row(n, i, name, header) {
    if (section == "" || $2 != sprintf("%s%02d", section, next_number))
        fault("expected " sprintf("%s%02d", section, next_number))
    next_number = substr($2, 2) + 1
    if ($4 == "" && $6 == "" && $3 ~ /left out/) return # there is nothing to check
    if ($4 == "" || $6 == "") fault("no names or no tests")
    split("", used)
    n = split($4, name, /[ ,`]+/)
    for (i = 1; i <= n; i++)
        if (name[i] != "") check_name(name[i], $5)
    n = split($5, header, /, */)
    for (i = 1; i <= n; i++)
        if (!(header[i] in is_header)) fault(header[i] " is no header")
        else if (!(header[i] in used)) fault("nothing is from " header[i])
}

function end_section() {
    if (section != "" && next_number <= last)
        print sprintf("%s%02d", section, next_number) ": is missing at the end of its section"
    section = ""
}

function read_headers(line, words, n, i, header, text, members) {
    while ((getline line <headers) > 0) {
        header = substr(line, 1, index(line, " ") - 1)
        text = substr(line, index(line, " ") + 1)
        is_header[header] = 1
        n = split(text, words, /[^A-Za-z0-9_]+/)
        if (text ~ /^(typedef )?struct .*[{]$/) members = 1
        if (text ~ /^}/) members = 0
        for (i = 1; i <= n; i++) {
            declared[header, words[i]] = 1
            if (members) declared[header, "." words[i]] = 1
        }
        if (text ~ /^ *#define/) {
            i = words[1] == "" ? 3 : 2
            body[words[i]] = text
        } else if (match(text, /^} gn_[a-z0-9_]+;/))
            type[substr(text, 3, RLENGTH - 3)] = 1
        else if (text ~ /^typedef/)
            for (i = 1; i <= n; i++) type[words[i]] = 1
    }
}

BEGIN {
    while ((getline line <exports) > 0) is_exported[line] = 1
    read_headers()
}
/^## / {
    end_section()
    if (match($0, /[A-Z]01 to [A-Z][0-9][0-9]/)) {
        section = substr($0, RSTART, 1)
        last = substr($0, RSTART + 8, 2) + 0
        next_number = 1
    }
}
/^[|] [A-Z][0-9][0-9] [|]/ { check_row(); rows++ }
END {
    end_section()
    if (!rows) print "no rows"
}' "$features" >>"$dir/faults"

[ ! -s "$dir/faults" ] || {
    sed 's/^/FAIL: /' "$dir/faults"
    exit 1
}
awk 'END { print NR " tests are named and there" }' "$dir/named"
