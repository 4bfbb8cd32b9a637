# shellcheck shell=bash
# For run.sh --demo: a fleet of simulated devices, and the table filling, until Ctrl-C.

# Rows that were ever inserted, as the database counts them: cheap however many there are.
rows_query="select coalesce(sum(n_tup_ins), 0)::bigint from pg_stat_user_tables
 where schemaname = 'public' and relname like 'telemetry%';"

# 1234567 is 1,234,567.
grouped() {
  local digits=$1 out=''
  while [[ ${#digits} -gt 3 ]]; do
    out=,${digits: -3}$out
    digits=${digits:0:-3}
  done
  printf '%s' "$digits$out"
}

# run_demo BENCH HOST PORT DATABASE; sets `fleet`, the process to stop. Returns when it has stopped.
run_demo() {
  local bench=$1 host=$2 port=$3 database=$4 devices=100 rate=1000
  [[ $host == 0.0.0.0 ]] && host=127.0.0.1
  [[ $host == :: ]] && host=::1

  printf '\n%s simulated devices send %s messages a second in all, at QoS 1. Ctrl-C stops.\n' \
    "$devices" "$rate"
  printf 'A look at what they sent, from another shell:\n\n'
  printf "  psql \"%s\" -c 'select * from telemetry order by received_at desc limit 5'\n\n" "$database"

  exec {fleet_says}< <(exec "$bench" fleet --host "$host" --port "$port" --clients "$devices" \
    --rate "$rate" 2>&1)
  fleet=$!
  coproc database_says { exec psql --no-psqlrc -Atq "$database" 2>/dev/null; }
  local ask=${database_says[1]} answer=${database_says[0]}

  local terminal=no pause=10 first='' rows=0 rows_before=0 seconds=0 seconds_before=0
  local line='' latency='' rate_now=''
  [[ -t 1 ]] && terminal=yes pause=1
  while kill -0 "$fleet" 2>/dev/null; do
    # Every few seconds the fleet says how fast the acknowledgements come.
    if IFS= read -r -t "$pause" line <&"$fleet_says"; then
      [[ $line =~ latency\ (p50\ .*) ]] && latency=${BASH_REMATCH[1]}
      [[ $terminal == no && -n $latency ]] || continue
    fi
    printf '%s\n' "$rows_query" >&"$ask" || break
    IFS= read -r -t 10 rows <&"$answer" || break
    seconds=$(date +%s)
    if [[ -z $first ]]; then
      first=$rows rows_before=$rows seconds_before=$seconds
    elif [[ $((seconds - seconds_before)) -ge 4 ]]; then
      rate_now="$(grouped $(((rows - rows_before) / (seconds - seconds_before)))) rows/s"
      rows_before=$rows seconds_before=$seconds
    fi
    [[ -n $rate_now && -n $latency ]] || continue
    local text
    text="$(grouped $((rows - first))) rows, $rate_now, acknowledged after $latency"
    if [[ $terminal == yes ]]; then printf '\r%s\033[K' "$text"; else printf '%s\n' "$text"; fi
  done
  [[ $terminal == no ]] || printf '\n'
  await "$fleet" || true
}
