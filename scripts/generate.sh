#!/usr/bin/env bash
# Generates the code beside the protos. With --check: only says whether the committed code is what
# the protos give. The generator has an environment of its own, pinned low: what grpcio-tools 1.76
# writes imports with protobuf 6.31 to 7 and grpcio from 1.76 on; newer ones would lock users out.
set -euo pipefail
cd "$(dirname "$0")/.."
env=.venv-generate
requirements=scripts/generate.txt
if ! cmp -s "$requirements" "$env/installed.txt"; then
  rm -rf "$env"
  "${PYTHON:-python3}" -m venv "$env"
  "$env/bin/pip" install --quiet --requirement "$requirements"
  cp "$requirements" "$env/installed.txt"
fi
out=proto
if [ "${1:-}" = --check ]; then
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
fi
protoc() { PATH="$PWD/$env/bin:$PATH" "$env/bin/python" -m grpc_tools.protoc --proto_path=proto "$@"; }
protoc --python_out="$out" --mypy_out="quiet:$out" proto/lrkeeper/v1/*.proto
protoc --grpc_python_out="$out" --mypy_grpc_out="quiet:$out" proto/lrkeeper/v1/*_service.proto
if [ "$out" != proto ]; then
  diff --recursive --brief --exclude='*.proto' --exclude='__pycache__' --exclude='py.typed' "$out" proto ||
    { echo "the generated code is not what the protos give: run 'make generate'" >&2; exit 1; }
  "$env/bin/buf" lint
fi
