#!/usr/bin/env bash
# Debian packages that some tests want. Installed when missing and possible; where not, those tests skip and say why.
set -euo pipefail

wanted=()
command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
  wanted+=(chromium)
# Debian keeps the server's programs in a folder of their own, off the PATH.
command -v initdb >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || wanted+=(postgresql)
command -v mosquitto >/dev/null || [ -x /usr/sbin/mosquitto ] || wanted+=(mosquitto)
[ ${#wanted[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "system-packages: no apt-get here; the tests that need ${wanted[*]} will be skipped" >&2
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  if ! sudo -n true 2>/dev/null; then
    echo "system-packages: not root; the tests that need ${wanted[*]} will be skipped (apt-get install ${wanted[*]})" >&2
    exit 0
  fi
  as_root=(sudo -n)
fi
export DEBIAN_FRONTEND=noninteractive
echo "system-packages: installing ${wanted[*]}" >&2
if ! { "${as_root[@]}" apt-get update -qq &&
  "${as_root[@]}" apt-get install -qq -y --no-install-recommends "${wanted[@]}" >/dev/null; }; then
  echo "system-packages: could not install ${wanted[*]}; the tests that need them will be skipped" >&2
fi
