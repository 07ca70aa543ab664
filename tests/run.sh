#!/usr/bin/env bash
# Checks everything: `bash tests/run.sh`. Flags go to pytest: `bash tests/run.sh tests/data -k folds`.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
source environment.sh

choose_python requirements-dev.txt
"$python" -m ruff check .
"$python" -m ruff format --check .
"$python" -m pytest "$@"
