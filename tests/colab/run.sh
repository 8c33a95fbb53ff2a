#!/usr/bin/env bash
# The library's tests and all labs under the versions of Colab's runtime (versions.txt), in an environment of their own.
# The library is installed as in Colab: built into a wheel from this checkout, not linked to it.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD venv=.venv-colab
unset PYTHONPATH  # it could bring the checkout in place of the installed library
stamp="$venv/.versions-$(cat tests/colab/versions.txt tests/colab/run.sh pyproject.toml | cksum | cut -d' ' -f1)"
python=$(for p in python3.13 python3.12 python3.11 python3; do
  "$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$p" && break
done) || { echo "No CPython >= 3.11, < 3.14 found; install one."; exit 1; }
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@" 2> >(grep -v "is ignored: it is neither" >&2); }

if [ ! -e "$stamp" ]; then
  echo "setting up $venv with $("$python" --version)"
  rm -rf "$venv"
  "$python" -m venv "$venv"
  pip install --upgrade 'pip>=24' 'setuptools>=69' wheel
  # Below Python 3.13 dowhy refuses Colab's scipy, so the causal extra is installed only on Colab's own Python.
  what=.
  "$python" -c 'import sys; sys.exit(sys.version_info < (3, 13))' && what='.[causal]' || echo "without dowhy: needs Python 3.13"
  pip install --constraint tests/colab/versions.txt "$what" \
    ipykernel ipython nbclient jupytext pytest pytest-socket pytest-timeout pytest-xdist hypothesis numpydoc pybtex
  touch "$stamp"
fi
pip install --no-deps --force-reinstall --no-build-isolation .

# The tests are copied away from the checkout, so that the installed library is the one that is tested.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tests/regression"
cp -r tests/__init__.py tests/conftest.py tests/unit tests/truth "$work/tests/"
cp tests/regression/{__init__,twins_report}.py "$work/tests/regression/"  # conftest imports it
export CAUSALREC_CACHE="${CAUSALREC_CACHE:-$root/data/cache}" OMP_NUM_THREADS=1
modules=(tests/unit/test_{behaviour,check,effects,estimate,ledger,plots,quiz,records,run,simulation,weighting,world}.py)
(cd "$work" && "$root/$venv/bin/python" -m pytest -p no:cacheprovider -q -n 2 --timeout 600 \
  --deselect tests/unit/test_run.py::test_a_chapter_that_the_checkout_lacks_is_refused_with_the_known_ones \
  "${modules[@]}" tests/truth)  # the one left out asks the checkout
"$venv/bin/python" tests/colab/check.py tests/colab/versions.txt "${CAUSALREC_BUILD:-build}/labs"
