#!/bin/sh
# Runs one benchmark or load in a guest, from cloud-init user data, with nothing but a POSIX shell and coreutils.
# Put it before one of the scripts beside it; README.md says how. Variables come from the user data's head.
set -u

: "${AUTOOPT_CONSOLE:=/dev/console}"   # where results are printed
: "${AUTOOPT_SECONDS:=60}"             # length of a measurement
: "${AUTOOPT_WARMUP:=5}"               # of which nothing is kept
: "${AUTOOPT_ATTEMPTS:=3}"             # of a benchmark that fails
: "${AUTOOPT_RETRY_PAUSE:=10}"         # seconds between them
: "${AUTOOPT_DIRECTORY:=/var/tmp/autoopt}"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C

say() { printf 'autoopt: %s\n' "$*" >&2; }

# retry COMMAND...: until it works, at most AUTOOPT_ATTEMPTS times
retry() {
    attempt=1
    until "$@"; do
        [ "$attempt" -lt "$AUTOOPT_ATTEMPTS" ] || return 1
        say "$* failed (attempt $attempt); again in $AUTOOPT_RETRY_PAUSE s"
        attempt=$((attempt + 1))
        sleep "$AUTOOPT_RETRY_PAUSE"
    done
}

# need PROGRAM PACKAGE: installs it where it is missing
need() {
    command -v "$1" > /dev/null && return
    say "installing $2"
    # another apt may hold the lock while the guest boots
    retry apt-get -q -y -o DPkg::Lock::Timeout=300 update > /dev/null
    retry apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "$2" > /dev/null
}

# frame NAME FILE: prints a result in the form of docs/guest-frame.md, twice
frame() {
    clean=$2.ascii
    # ASCII only, at most 48 KiB from a line's beginning, with a newline at its end
    sed 's/µs/us/g; s/μs/us/g' "$2" | tr -d '\r' | LC_ALL=C tr -c '\t\n -~' '?' > "$clean"
    if [ "$(wc -c < "$clean")" -gt 49152 ]; then
        tail -c 49152 "$clean" | sed 1d > "$clean.cut"
        mv "$clean.cut" "$clean"
    fi
    [ -z "$(tail -c 1 "$clean")" ] || echo >> "$clean"
    bytes=$(wc -c < "$clean" | tr -d ' ')
    sum=$(sha256sum < "$clean" | cut -d ' ' -f 1)
    for copy in 1 2; do
        {
            printf '\n-----BEGIN AUTOOPT RESULT name=%s bytes=%s sha256=%s copy=%s-----\n' "$1" "$bytes" "$sum" "$copy"
            cat "$clean"
            printf '%s\n' '-----END AUTOOPT RESULT-----'
        } | tee "$2.frame" >> "$AUTOOPT_CONSOLE"
    done
    [ -z "${AUTOOPT_RESULT_URL:-}" ] || retry post "$2.frame"
}

# post FILE: to the worker that waits for it
post() {
    if command -v curl > /dev/null; then
        curl -fsS --max-time 30 --data-binary "@$1" "$AUTOOPT_RESULT_URL" > /dev/null
    else
        wget -q --timeout=30 --post-file="$1" -O /dev/null "$AUTOOPT_RESULT_URL"
    fi
}

# measure COMMAND...: a sysbench command, first for the warm-up, of which nothing is kept
measure() {
    [ "$AUTOOPT_WARMUP" = 0 ] || "$@" --time="$AUTOOPT_WARMUP" run > /dev/null || return 1
    "$@" --time="$AUTOOPT_SECONDS" run
}

# benchmark NAME FUNCTION: runs it and prints what it printed; after the last failed attempt too, so that nobody waits
benchmark() {
    mkdir -p "$AUTOOPT_DIRECTORY" && cd "$AUTOOPT_DIRECTORY" || return 1
    log=$AUTOOPT_DIRECTORY/$1.log
    # a process of its own: a retry within it counts for itself
    attempt_once() { ( "$1" > "$2" 2>&1 ); }
    retry attempt_once "$2" "$log" || echo "autoopt: the benchmark failed $AUTOOPT_ATTEMPTS times" >> "$log"
    frame "$1.log" "$log"
}

