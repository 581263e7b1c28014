#!/usr/bin/env bash
# The viewer's scripts under the TypeScript compiler, by their JSDoc types. A check only: nothing needs node at run time.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=.venv/node
if ! command -v npm >/dev/null; then
  echo "viewer: types not checked, npm is not on this machine"
  exit 0
fi
if [ ! -x $tools/node_modules/.bin/tsc ] && ! npm install --prefix $tools --no-save --no-fund --no-audit --silent typescript@~5.9; then
  echo "viewer: types not checked, npm could not install typescript"
  exit 0
fi
$tools/node_modules/.bin/tsc -p jsconfig.json
