#!/usr/bin/env bash
# setup.sh [PACKAGE…]: installs the packages of packages.txt, and those named, that are missing;
# without any missing, it does nothing and needs no network. As root, or as a user with sudo.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
say() { printf '== %s\n' "$*"; }
fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

mapfile -t wanted < <(grep -v '^#' "$root/scripts/packages.txt" | grep .)
wanted+=("$@")

missing() {
  local package
  for package in "${wanted[@]}"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      printf '%s\n' "$package"
  done
}

command -v dpkg-query >/dev/null ||
  fail "this is not Debian. The hub is built on Debian 12, with: ${wanted[*]}"
mapfile -t needed < <(missing)
[[ ${#needed[@]} -eq 0 ]] && exit 0

as_root=()
if [[ $EUID -ne 0 ]]; then
  command -v sudo >/dev/null ||
    fail "these packages are missing, and there is no sudo; as root: apt-get install ${needed[*]}"
  as_root=(sudo)
fi
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
install=("${apt[@]}" install -y --no-install-recommends)

say "installing ${#needed[@]} packages: ${needed[*]}"
"${apt[@]}" update </dev/null ||
  fail "apt-get update failed. The first set-up needs the network; later ones do not"

# The hub makes its own PostgreSQL cluster; Debian's, on port 5432, would only be in the way.
conf=/etc/postgresql-common/createcluster.conf
if [[ " ${needed[*]} " == *" postgresql "* && -z $(compgen -G '/etc/postgresql/*/*' || true) ]]; then
  "${install[@]}" postgresql-common </dev/null || fail "apt-get install postgresql-common failed"
  if ! grep -Eq '^\s*create_main_cluster' "$conf" 2>/dev/null; then
    say "no default PostgreSQL cluster: create_main_cluster = false in $conf"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee -a "$conf" >/dev/null
  fi
fi

"${install[@]}" "${needed[@]}" </dev/null || fail "apt-get install failed; see above"
mapfile -t needed < <(missing)
[[ ${#needed[@]} -eq 0 ]] || fail "still missing after the installation: ${needed[*]}"
say "all packages are installed"
