#!/usr/bin/env bash
# Checks everything: `bash tests/run.sh`. `--fast` first: without what trains networks, a minute and a half on two cores,
# for every change. `--long`: also what takes minutes or the network. Other flags go to pytest:
# `bash tests/run.sh tests/data -k folds`.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."
source environment.sh

tier=whole
case ${1:-} in
    --fast | --long)
        tier=${1#--}
        shift
        ;;
esac

choose_python requirements-dev.txt
"$python" -m ruff check .
"$python" -m ruff format --check .

# The tests of the pages take a real Chromium, and are skipped, with a reason, where there is none.
if [[ $tier != fast && $# == 0 && $(id -u) == 0 ]] && ! command -v chromium >/dev/null && command -v apt-get >/dev/null; then
    say "installing Chromium"
    { timeout 60 apt-get update && timeout 180 apt-get install -y --no-install-recommends chromium; } >/dev/null 2>&1 ||
        say "Chromium could not be installed"
fi

# Two at a time; those that share an ensemble stay together, so that it is trained once.
flags=(-rs)
(($#)) || flags+=(-n 2 --dist loadgroup)
case $tier in
    fast) flags+=(-m "not slow and not long") ;;
    long) flags+=(-m "long or not long") ;;
esac
"$python" -m pytest "${flags[@]}" "$@"
