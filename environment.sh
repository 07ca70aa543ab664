# shellcheck shell=bash
# Sourced by splitscript.sh and tests/run.sh: finds or makes the Python environment.
#
# `choose_python FILE` sets `python` to the first of these that has what requirements.txt and FILE list: $PYTHON,
# .venv, and python3 where there is no .venv. Where none has, it makes .venv, or brings it up to date.

repository=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
venv=$repository/.venv

say() { echo "$(basename "$0"): $*" >&2; }

fail() {
    say "error: $*"
    exit 1
}

choose_python() {
    # Written last, with what was installed: an interrupted or outdated installation does not count as finished.
    local wanted finished=$venv/installed-$1
    wanted=$(cat "$repository/requirements.txt" "$repository/$1")
    if [[ -n ${PYTHON:-} ]] && has_requirements "$PYTHON" "$1"; then
        python=$PYTHON
    elif [[ -f $finished && $(cat "$finished") == "$wanted" ]] && is_suitable "$venv/bin/python"; then
        python=$venv/bin/python
    elif ! compgen -G "$venv/installed-*" >/dev/null && has_requirements "$venv/bin/python" "$1"; then
        # somebody made it by hand
        python=$venv/bin/python
    elif [[ ! -d $venv ]] && has_requirements python3 "$1"; then
        python=python3
    else
        install "$1"
        echo "$wanted" >"$finished"
        python=$venv/bin/python
    fi
    if [[ -n ${PYTHON:-} && $python != "$PYTHON" ]]; then
        say "PYTHON=$PYTHON lacks what $1 lists: using $python"
    fi
}

is_suitable() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

has_requirements() {
    is_suitable "$1" && "$1" - "$repository/requirements.txt" "$repository/$2" 2>/dev/null <<'PYTHON_END'
import pathlib, platform, re, sys
from importlib.metadata import version

# What the markers of our files look at; the oldest Python here is 3.10, so that versions compare as text.
known = {
    "python_version": "{}.{}".format(*sys.version_info), "sys_platform": sys.platform,
    "platform_machine": platform.machine(),
}
for path in sys.argv[1:]:
    for line in pathlib.Path(path).read_text().splitlines():
        requirement, _, marker = line.partition(";")
        match = re.match(r"([\w.-]+)(?:\[.*\])?==([\w.]+)", requirement)
        if match and (not marker.strip() or eval(marker, known)) and version(match[1]) != match[2]:
            sys.exit(1)
PYTHON_END
}

install() {
    local python quiet=--quiet
    [[ -t 2 ]] && quiet=
    if ! is_suitable "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        python=$(find_python)
        say "making $venv with $("$python" --version)"
        "$python" -m venv --clear "$venv" ||
            fail "could not make $venv (on Debian and Ubuntu it takes the package python3-venv)"
    fi
    say "installing $1 into $venv: some minutes, once"
    "$venv/bin/python" -m pip install ${quiet:+"$quiet"} --disable-pip-version-check --requirement "$repository/$1" >&2 ||
        fail "could not install $1; the same command tries again"
}

find_python() {
    if [[ -n ${PYTHON:-} ]]; then
        is_suitable "$PYTHON" || fail "PYTHON=$PYTHON must be Python 3.10 to 3.13, but is not"
        echo "$PYTHON"
        return
    fi
    local name
    for name in python3 python3.12 python3.13 python3.11 python3.10 python; do
        if is_suitable "$name"; then
            echo "$name"
            return
        fi
    done
    fail "this needs Python 3.10 to 3.13, and there is none on the PATH. Name one: PYTHON=/path/to/python3 bash $0"
}
