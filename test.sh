#!/usr/bin/env bash
# Installs what is missing, builds the release and runs every test. Arguments go to ctest:
# ./test.sh -R Embedded runs those whose name holds "Embedded".
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$root/scripts/setup.sh"
"$root/scripts/build.sh" release
printf '== testing build/release\n'
cd "$root"
# More at a time than there are cores: most wait for servers to start.
exec ctest --preset release --parallel "$((2 * $(nproc)))" "$@" </dev/null
