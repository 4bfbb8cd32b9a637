# shellcheck shell=bash
# What .ci/run and .ci/full share.
export CI=true
exec </dev/null

section() {
  local name=$1 start=$SECONDS
  shift
  printf '\n=== %s\n' "$name"
  "$@" || {
    printf '\n=== FAILED: %s, after %d s\n' "$name" $((SECONDS - start))
    exit 1
  }
  printf '=== passed: %s, %d s\n' "$name" $((SECONDS - start))
}

formatted() {
  git ls-files -z -- '*.cpp' '*.h' | xargs -0 -r clang-format-19 --dry-run -Werror
}

tested() {
  local preset=$1
  shift
  # More at a time than there are cores: most wait for servers to start.
  ctest --preset "$preset" --no-tests=error --parallel "$((2 * $(nproc)))" "$@"
}
