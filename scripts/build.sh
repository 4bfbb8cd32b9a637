#!/usr/bin/env bash
# build.sh PRESET [TARGET…]: configures a preset of CMakePresets.json when needed, and builds it.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
preset=$1
shift
cd "$root"

# Objects that another checkout of this project has compiled serve here too.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
# What ccache asks for with precompiled headers.
export CCACHE_SLOPPINESS=pch_defines,time_macros
# An object is looked up by what its last compilation read, so that a cold cache costs no
# preprocessing of its own.
export CCACHE_DEPEND=1

if [[ ! -f build/$preset/build.ninja ]]; then
  mkdir -p "build/$preset"
  printf '== configuring build/%s\n' "$preset"
  cmake --preset "$preset" >"build/$preset/configure.log" 2>&1 || {
    cat "build/$preset/configure.log" >&2
    printf 'build: cmake failed to configure; see above\n' >&2
    exit 1
  }
fi
printf '== building build/%s\n' "$preset"
cmake --build "build/$preset" --parallel "$(nproc)" ${@:+--target "$@"} || {
  printf 'build: the build of %s failed; see above\n' "$preset" >&2
  exit 1
}
