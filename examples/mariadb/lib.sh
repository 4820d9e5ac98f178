# shellcheck shell=bash
# What the programs of this example share: where the private server lives, and how it is started and stopped.

set -euo pipefail

DIR=${AUTOOPT_MARIADB_DIR:-${XDG_STATE_HOME:-${HOME:-/var/lib}/.local/state}/autoopt-mariadb}
SOCKET=$DIR/server.sock
PID_FILE=$DIR/server.pid
KNOBS_FILE=$DIR/knobs.cnf
# shellcheck disable=SC2034  # used by the programs that read this file
{
DATABASE=oltp
TABLES=4
ROWS=20000
}

die() {
    printf '%s: %s\n' "${0##*/}" "$1" >&2
    exit "${2:-1}"
}

# Debian keeps the server in sbin, which is not in everybody's PATH
PATH=$PATH:/usr/local/sbin:/usr/sbin

sql() {
    mariadb --no-defaults --socket="$SOCKET" --user=root --batch --skip-column-names --execute="$1"
}

is_up() {
    mariadb-admin --no-defaults --socket="$SOCKET" --user=root --connect-timeout=2 --silent ping >/dev/null 2>&1
}

server_pid() {
    local pid
    [[ -r $PID_FILE ]] || return 1
    read -r pid <"$PID_FILE" || return 1
    # a pid file outlives a crash; the number may belong to somebody else by now
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF -- "--datadir=$DIR/data" || return 1
    printf '%s\n' "$pid"
}

start_server() {
    is_up && return 0
    local user=()
    [[ $(id -u) -ne 0 ]] || user=(--user=root)
    touch "$KNOBS_FILE"
    # setsid and no inherited descriptor: the server outlives the command that starts it
    setsid mariadbd --defaults-file="$KNOBS_FILE" "${user[@]}" --datadir="$DIR/data" --socket="$SOCKET" \
        --pid-file="$PID_FILE" --log-error="$DIR/server.log" --skip-networking --skip-name-resolve \
        --innodb-buffer-pool-size=128M </dev/null >/dev/null 2>&1 9>&- &
    local started=$!
    for _ in $(seq 300); do
        is_up && return 0
        kill -0 "$started" 2>/dev/null || return 1
        sleep 0.1
    done
    return 1
}

stop_server() {
    local pid
    pid=$(server_pid) || return 0
    kill -TERM "$pid" 2>/dev/null || return 0
    for _ in $(seq 600); do
        [[ -d /proc/$pid ]] || return 0
        sleep 0.1
    done
    die "the private server (process $pid) does not stop"
}

# Two stages must not start or stop the server at the same time.
lock() {
    mkdir -p "$DIR"
    exec 9>"$DIR/lock"
    flock -w 120 9 || die "another command holds $DIR/lock" 75
}
