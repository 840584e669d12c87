#!/usr/bin/python3
"""Print compose_table.h: canonical decompositions, compositions and combining classes of Unicode 9.

That is the version of the `tokenizers` package, with which the models that want normal form C were trained.  Newer
characters, up to the version of this Python, are left out by name; with a Python newer than Unicode 14 there are more.

    python3 core/make_compose_table.py > core/compose_table.h
"""
import sys
import unicodedata

assert unicodedata.unidata_version == "14.0.0"
LATER = """7fd 898-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1ace 1df6-1dfa a82c 10d24-10d27 10eab-10eac 10f46-10f50
    10f82-10f85 11070 1133b 1145e 11839-1183a 11938 1193d-1193e 11943 119e0 11a34 11a47 11a99 11d42 11d44-11d45 11d97
    16ff0-16ff1 1e130-1e136 1e2ae 1e2ec-1e2ef"""
later = set()
for part in LATER.split():
    low, _, high = part.partition("-")
    later.update(range(int(low, 16), int(high or low, 16) + 1))


def rows(items, width=118):
    line = "   "
    for item in items:
        if len(line) + len(item) + 2 > width:
            print(line)
            line = "   "
        line += " " + item + ","
    print(line)


splits = []
for code in range(sys.maxunicode + 1):
    text = unicodedata.decomposition(chr(code))
    if code not in later and text and not text.startswith("<"):
        splits.append((code, [int(part, 16) for part in text.split()]))
pairs = [(parts[0], parts[1], code) for code, parts in splits
         if len(parts) == 2 and unicodedata.normalize("NFC", chr(code)) == chr(code)]

classes = []
for code in range(sys.maxunicode + 1):
    value = 0 if code in later else unicodedata.combining(chr(code))
    if value and classes and classes[-1][1:] == [code - 1, value]:
        classes[-1][1] = code
    elif value:
        classes.append([code, code, value])

print("""/* compose_table.h: printed by make_compose_table.py.  Unicode 9; Hangul syllables are left to arithmetic. */
#ifndef CORE_COMPOSE_TABLE_H
#define CORE_COMPOSE_TABLE_H

#include <stdint.h>

/* Canonical decompositions by code; second 0: into one character. */
static const struct { uint32_t code, first, second; } splits[] = {""")
rows("{0x%x, 0x%x, 0x%x}" % (code, parts[0], parts[1] if len(parts) > 1 else 0) for code, parts in splits)
print("""};

/* What may be composed, by first and second. */
static const struct { uint32_t first, second, code; } pairs[] = {""")
rows("{0x%x, 0x%x, 0x%x}" % pair for pair in sorted(pairs))
print("""};

/* Combining classes other than 0. */
static const struct { uint32_t low, high; uint8_t value; } classes[] = {""")
rows("{0x%x, 0x%x, %d}" % tuple(c) for c in classes)
print("""};

#endif""")
