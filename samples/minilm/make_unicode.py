#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes unicode.inc, the tables of unicode.c, from Python's own. Usage: make_unicode.py >unicode.inc

They have the plane U+0080 .. U+FFFF. Ideographs that decompose into others are left out: models of
English have none of them. Hangul is computed in unicode.c.
"""
import unicodedata


def category(c):
    return unicodedata.category(chr(c))


def fold(c):
    """Lower case, without accents: "É" -> "e"."""
    decomposed = unicodedata.normalize("NFD", chr(c))
    return "".join(x for x in decomposed if unicodedata.category(x) != "Mn").lower()


def ranges(belongs):
    found = []
    for c in filter(belongs, range(0x80, 0x10000)):
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    return found


def table(comment, name, rows):
    print(f"\n/* {comment} */")
    print(f"static const uint16_t {name}[][2] = {{")
    cells = ["{0x%04x, 0x%04x}," % tuple(row) for row in rows]
    for i in range(0, len(cells), 5):
        print("    " + " ".join(cells[i:i + 5]))
    print("};")


def is_letter_of_words(c):
    return not (0xAC00 <= c <= 0xDFFF or 0xF900 <= c <= 0xFAFF or category(c) == "Mn")


print("/* SPDX-License-Identifier: Apache-2.0 */")
print(f"/* Written by make_unicode.py, of Unicode {unicodedata.unidata_version}. */")
table("Ranges of marks (Mn): accents that follow their letter.", "marks",
      ranges(lambda c: category(c) == "Mn"))
table("Ranges of punctuation (P*).", "punctuation", ranges(lambda c: category(c)[0] == "P"))
table("Ranges of controls and formats (Cc, Cf).", "controls",
      ranges(lambda c: category(c) in ("Cc", "Cf")))
table("Ranges of spaces (Z*).", "spaces", ranges(lambda c: category(c)[0] == "Z"))
letters = [c for c in range(0x80, 0x10000) if is_letter_of_words(c)]
table("A letter, and the same in lower case without accents, where it is another one.", "letters",
      [(c, ord(fold(c))) for c in letters if len(fold(c)) == 1 and fold(c) != chr(c)])
