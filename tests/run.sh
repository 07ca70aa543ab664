#!/usr/bin/env bash
# Checks everything: `bash tests/run.sh`. Flags go to pytest: `bash tests/run.sh tests/data -k folds`.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
source environment.sh

choose_python requirements-dev.txt
"$python" -m ruff check .
"$python" -m ruff format --check .

# The test of the report's page takes a real Chromium, and is skipped, with a reason, where there is none.
if (($# == 0)) && [[ $(id -u) == 0 ]] && ! command -v chromium >/dev/null && command -v apt-get >/dev/null; then
    say "installing Chromium"
    { timeout 60 apt-get update && timeout 180 apt-get install -y --no-install-recommends chromium; } >/dev/null 2>&1 ||
        say "Chromium could not be installed"
fi
"$python" -m pytest -rs "$@"
