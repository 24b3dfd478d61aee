#!/usr/bin/env bash
# Instructions that each pure step takes, counted by callgrind: the same figure whatever else the
# machine does. Needs valgrind.
set -euo pipefail
cd "$(dirname "$0")/.."

command -v valgrind >/dev/null || { echo "instructions: valgrind is missing; install it" >&2; exit 1; }
binary=$(cargo bench --locked --bench instructions --no-run 2>&1 |
	sed -nE 's/.*Executable .*\((.*)\)/\1/p')

collected() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$binary" "$1" "$2" 2>&1 |
		sed -nE 's/.*Collected : ([0-9]+).*/\1/p'
}

readonly TIMES=200
printf '%-18s %14s  %s\n' step instructions what
while IFS=$'\t' read -r step what; do
	once=$(collected "$step" $TIMES)
	twice=$(collected "$step" $((TIMES * 2)))
	printf '%-18s %14d  %s\n' "$step" $(((twice - once) / TIMES)) "$what"
done < <("$binary")
