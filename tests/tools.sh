#!/usr/bin/env bash
# Installs the tools of the host that the tests use, where they are missing and where it may.
set -euo pipefail

missing=()
need() { # COMMAND PACKAGE
	command -v "$1" >/dev/null || missing+=("$2")
}
need cc build-essential
need curl curl
need strace strace
need prlimit util-linux
need promtool prometheus
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

for command in cargo python3 node npm; do
	command -v "$command" >/dev/null || {
		echo "$command is not on PATH: install it and run this again" >&2
		exit 1
	}
done

((${#missing[@]})) || exit 0
if [[ $(id -u) -ne 0 ]] || ! command -v apt-get >/dev/null; then
	echo "these packages are missing: ${missing[*]}" >&2
	echo "install them, for example with: sudo apt-get install ${missing[*]}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}"
