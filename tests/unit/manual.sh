#!/bin/bash
# manual.sh PROGRAM: every option and variable that --help names has its place in the manual, and no other.
set -euo pipefail
manual=$(dirname "$0")/../../fs/lipsyncfs.1
help=$(LC_ALL=C "$1" --help)

shown=$(sed -n 's/^ *-o \([a-z_]*\)=.*/\1/p' <<<"$help" | sort)
told=$(sed -n 's/^\.It Fl o Cm \([a-z_]*\) .*/\1/p' "$manual" | sort)
[ -n "$shown" ]
diff <(echo "$shown") <(echo "$told")

variables=$(grep -oE '\b(NEMO|XDG|SKILL)_[A-Z_]+' <<<"$help" | sort -u)
[ -n "$variables" ]
diff <(echo "$variables") <(grep -oE '\b(NEMO|XDG|SKILL)_[A-Z_]+' "$manual" | sort -u)
