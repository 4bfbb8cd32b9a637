#!/usr/bin/env bash
# Installs what is missing, builds the release and runs the hub.
#
#   ./run.sh                      MQTT on 127.0.0.1:1883, everything that is kept in ./data
#   ./run.sh --mqtt-port 1884     every argument goes to `iothub serve`; see ./run.sh --help
#   ./run.sh --demo               with a fleet of simulated devices, and the table filling
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
iothub=$root/build/release/iothub
demo=no
arguments=()
for argument in "$@"; do
  if [[ $argument == --demo ]]; then demo=yes; else arguments+=("$argument"); fi
done

"$root/scripts/setup.sh"
targets=(iothub)
[[ $demo == yes ]] && targets+=(iothub-bench)
"$root/scripts/build.sh" release "${targets[@]}"

[[ " ${arguments[*]} " == *" --help "* ]] && exec "$iothub" serve --help

# The hub's output comes through here, so that its ready line can be followed by what to do next.
exec {hub_output}< <(exec "$iothub" serve "${arguments[@]}")
hub=$!
fleet=
stopping=no
stop() {
  [[ $stopping == no ]] || return 0
  stopping=yes
  [[ -z $fleet ]] || kill -TERM "$fleet" 2>/dev/null || true
  kill -TERM "$hub" 2>/dev/null || true
}
# The terminal that closes sends SIGHUP, to which the hub itself reads its certificates anew.
trap stop INT TERM HUP

# The exit status of a child, however often a signal ends the waiting.
await() {
  while kill -0 "$1" 2>/dev/null; do wait "$1" || true; done
  wait "$1"
}

ready=
while IFS= read -r line <&"$hub_output"; do
  printf '%s\n' "$line"
  if [[ $line == ready\ * ]]; then
    ready=$line
    break
  fi
done
if [[ -z $ready ]]; then
  await "$hub" || exit $?
  exit 0
fi

# ready mqtt://127.0.0.1:1883 database=postgresql://… rules=1
[[ $ready =~ \ database=([^ ]*) ]]
database=${BASH_REMATCH[1]}
host='' port=''
if [[ $ready =~ \ mqtt://([^ ]*):([0-9]+) ]]; then
  host=${BASH_REMATCH[1]//[\[\]]/} port=${BASH_REMATCH[2]}
fi

show_commands() {
  local to='' url=$database look=" -c 'select * from telemetry'"
  # With rules of one's own, the rows may go anywhere.
  [[ " ${arguments[*]}" =~ \ --(rules|config) || -n ${IOTHUB_RULES:-}${IOTHUB_CONFIG:-} ]] && look=
  [[ $host == 127.0.0.1 || $host == 0.0.0.0 || $host == :: ]] || to+=" -h $host"
  [[ $port == 1883 ]] || to+=" -p $port"
  # shellcheck disable=SC2016
  [[ ${#arguments[@]} -eq 0 && $PWD == "$root" ]] && url='$(build/release/iothub db url)'
  local publish="  mosquitto_pub$to -q 1 -t devices/d1/telemetry -m '{\"temperature\": 21.5, \"humidity\": 40}'"
  [[ -n $host ]] || publish='  (its listeners need more than a command line: docs/listeners.md)'
  cat <<COMMANDS

The hub runs. In another shell:

$publish
  psql "$url"$look

Ctrl-C stops it.

COMMANDS
}

if [[ $demo == no ]]; then
  show_commands
  cat <&"$hub_output" &
  await "$hub" || exit $?
  exit 0
fi

# shellcheck source=scripts/demo.sh
. "$root/scripts/demo.sh"
run_demo "$root/build/release/iothub-bench" "$host" "$port" "$database"
stop
await "$hub" || exit $?
