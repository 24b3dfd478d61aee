#!/bin/sh
# Starts one system with the job that all of them are compared in: OTLP/gRPC in at IN, the same out to OUT, one core.
#   IN=host:port OUT=host:port DIR=folder start.sh SYSTEM     run it, in this process
#   start.sh SYSTEM --version                                 say which version it is
# IN_HTTP and OUT_HTTP are the OTLP/HTTP ends; default: the port after IN's, and OUT. DIR is an existing folder for what
# a system must write. PEERS is the folder that get.sh filled; default: target/peers of this repository.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
PEERS=${PEERS:-$here/../../target/peers}
PATH=$PEERS/bin:$PATH:/usr/sbin
system=${1:?"name a system: see the case labels in $0"}

version() {
  case $1 in
    collector*) otelcol --version ;;
    rotel*) rotel-agent --version ;;
    haproxy) haproxy -v ;;
    nginx) nginx -v ;;
    nghttpx) nghttpx --version ;;
    envoy) envoy --version ;;
  esac
}
if [ "${2:-}" = --version ]; then
  version "$system" 2>&1 | grep -m 1 '[0-9]\.[0-9]'
  exit
fi

: "${IN:?must be the host:port to listen on}" "${OUT:?must be the host:port to send to}" "${DIR:?must be a folder}"
: "${IN_HTTP:=${IN%:*}:$((${IN##*:} + 1))}" "${OUT_HTTP:=$OUT}"
export IN IN_HTTP OUT OUT_HTTP DIR

# Writes a template with its @NAMES@ filled in to DIR, for systems that read no environment, and says where it is.
render() {
  sed -e "s/@IN@/$IN/g" -e "s/@OUT@/$OUT/g" -e "s/@IN_HTTP@/$IN_HTTP/g" -e "s/@OUT_HTTP@/$OUT_HTTP/g" \
      -e "s/@IN_HOST@/${IN%:*}/g" -e "s/@IN_PORT@/${IN##*:}/g" -e "s/@OUT_HOST@/${OUT%:*}/g" -e "s/@OUT_PORT@/${OUT##*:}/g" \
      -e "s/@IN_HTTP_HOST@/${IN_HTTP%:*}/g" -e "s/@IN_HTTP_PORT@/${IN_HTTP##*:}/g" \
      -e "s/@OUT_HTTP_HOST@/${OUT_HTTP%:*}/g" -e "s/@OUT_HTTP_PORT@/${OUT_HTTP##*:}/g" \
      -e "s|@DIR@|$DIR|g" "$here/$1" > "$DIR/$1"
  echo "$DIR/$1"
}

# Becomes the program, or says what to do where there is none.
run() {
  command -v "$1" > /dev/null || { echo "start.sh: $1 is neither in $PEERS/bin nor on PATH: run get.sh" >&2; exit 1; }
  exec "$@"
}
collector() { GOMAXPROCS=1; export GOMAXPROCS; run otelcol --config "$here/collector.yaml" "$@"; }
rotel() {
  run rotel-agent start --log-format text --otlp-grpc-endpoint "$IN" --otlp-http-endpoint "$IN_HTTP" \
    --otlp-grpc-max-recv-msg-size-mib 16 "$@"
}

case $system in
  collector)           collector ;;
  collector-gzip)      collector --config 'yaml:exporters::otlp_grpc::compression: gzip' ;;
  collector-http)      collector --config "$here/collector-http.yaml" ;;
  collector-nobatch)   collector --config "$here/collector-nobatch.yaml" ;;
  collector-delivered) collector --config "$here/collector-nobatch.yaml" --config "$here/collector-delivered.yaml" ;;
  collector-sync)      collector --config "$here/collector-nobatch.yaml" --config 'yaml:exporters::otlp_grpc::sending_queue::enabled: false' ;;
  rotel)               rotel --otlp-exporter-endpoint "http://$OUT" ;;
  rotel-http)          rotel --otlp-exporter-endpoint "http://$OUT_HTTP" --otlp-exporter-protocol http ;;
  haproxy)             run haproxy -db -q -f "$here/haproxy.cfg" ;;
  nginx)               run nginx -p "$DIR" -e stderr -c "$(render nginx.conf)" ;;
  nghttpx)             run nghttpx --conf="$(render nghttpx.conf)" ;;
  envoy)               run envoy --concurrency 1 --disable-hot-restart --log-level warning -c "$(render envoy.yaml)" ;;
  *) echo "start.sh: no system is named $system" >&2; exit 2 ;;
esac
