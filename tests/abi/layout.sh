#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: CC=cc layout.sh FOLDER
# Prints what plugins compiled against FOLDER/genesis/backend.h rely on, a fact a line:
#
#     enum NAME VALUE
#     struct NAME BYTES
#     member STRUCT.NAME OFFSET BYTES DECLARATION
#
# A program that the header itself is turned into prints it, so the compiler does the counting.
set -eu
folder=$1
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# The header's own declarations, preprocessed, as one line.
echo '#include <genesis/backend.h>' | $CC -E -x c -I"$folder" - |
    awk '/^# [0-9]+ "/ { mine = index($3, "genesis/backend.h\"") > 0; next } mine { printf "%s ", $0 }' \
        >"$temporary/declarations"

awk '
function trimmed(text) {
    gsub(/[ \t]+/, " ", text)
    sub(/^ /, "", text)
    sub(/ $/, "", text)
    return text
}

# The name that a declarator declares: "const int64_t *size", "int64_t stride[12]", "int (*map)(..)".
function name_of(declarator,   found) {
    if (match(declarator, /\(\*[a-z_A-Z0-9]+\)/))
        return substr(declarator, RSTART + 2, RLENGTH - 3)
    sub(/\[.*/, "", declarator)
    match(declarator, /[a-z_A-Z0-9]+ *$/)
    return trimmed(substr(declarator, RSTART))
}

# The type in front of a declarator: "const int64_t *size" -> "const int64_t"
function type_of(declarator) {
    sub(/[* ]*[a-z_A-Z0-9]+ *(\[.*)?$/, "", declarator)
    return trimmed(declarator)
}

function print_members(type, body,   n, i, members, k, m, declarators, text) {
    printf "    printf(\"struct %s %%zu\\n\", sizeof(%s));\n", type, type
    n = split(body, members, ";")
    for (i = 1; i <= n; i++) {
        if (trimmed(members[i]) == "")
            continue
        # Several declarators, but not the parameters of a function.
        m = index(members[i], "(") ? 1 : split(members[i], declarators, ",")
        for (k = 1; k <= m; k++) {
            text = k == 1 ? declarators[1] : type_of(declarators[1]) " " trimmed(declarators[k])
            if (m == 1)
                text = members[i]
            print_member(type, name_of(text), trimmed(text))
        }
    }
}

function print_member(type, name, text) {
    printf "    printf(\"member %s.%s %%zu %%zu %s\\n\", offsetof(%s, %s), sizeof ((%s *)0)->%s);\n", \
        type, name, text, type, name, type, name
}

function print_enum(body,   n, i, names) {
    n = split(body, names, ",")
    for (i = 1; i <= n; i++) {
        sub(/=.*/, "", names[i])
        if (trimmed(names[i]) != "")
            printf "    printf(\"enum %s %%lld\\n\", (long long)%s);\n", trimmed(names[i]), trimmed(names[i])
    }
}

{
    print "#include <genesis/backend.h>\n#include <stdio.h>\nint main(void) {"
    rest = $0
    while (match(rest, /(struct|union|enum) *[a-z_]* *\{[^{}]*\}/)) {
        block = substr(rest, RSTART, RLENGTH)
        rest = substr(rest, RSTART + RLENGTH)
        kind = block
        sub(/[ {].*/, "", kind)
        type = substr(block, length(kind) + 1, index(block, "{") - length(kind) - 1)
        body = substr(block, index(block, "{") + 1)
        sub(/\}$/, "", body)
        if (kind == "enum")
            print_enum(body)
        else
            print_members(trimmed(type), body)
    }
    print "    return 0;\n}"
}' "$temporary/declarations" >"$temporary/layout.c"

$CC -I"$folder" -o "$temporary/layout" "$temporary/layout.c"
"$temporary/layout"
