#!/bin/bash
# Every text of the program is translated, and the check that says so notices what is wrong.
set -euo pipefail
cd "$(dirname "$0")/../.."

scripts/update-texts --check || exit

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A copy of the catalogue that an awk program has spoiled.
refuses() { # WHAT AWK-PROGRAM
    awk "$2" fs/po/zh_CN.po >"$work/spoiled.po"
    if cmp -s fs/po/zh_CN.po "$work/spoiled.po"; then
        echo "the catalogue could not be spoiled: $1" >&2
        exit 1
    fi
    if scripts/update-texts --check "$work/spoiled.po" 2>"$work/words"; then
        echo "not noticed: $1" >&2
        exit 1
    fi
}

refuses "a missing text" '/^msgid "Cancelled."/ { getline; print "msgid \"Cancelled.\""; $0 = "msgstr \"\"" } 1'
refuses "a fuzzy text" '/^msgid "Cancelled."/ { print "#, fuzzy" } 1'
refuses "an obsolete text" '1; END { print "\n#~ msgid \"Gone.\"\n#~ msgstr \"没了。\"" }'
refuses "a text that the program has no more" '{ sub(/^msgid "Cancelled\."/, "msgid \"Gone.\"") } 1'
refuses "another printf format" '/^msgid "Register to go on: %s"/ { print; getline; sub(/%s/, "%d") } 1'
