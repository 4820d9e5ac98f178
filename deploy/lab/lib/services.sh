# Sourced by the checks of the lab: the six services on the lab's cluster, over a vhost and a database of their own.
#
# Wants $here (deploy/lab) and $name (of vhost and database). Gives: say, fail, field, $lab, $run, $autoopt, services_up, services_begin.

root=$(dirname "$(dirname "$here")")
lab=${OPENSTACK_LAB_DIR:-/var/lib/openstack-lab}
began=$SECONDS

say() { printf '%5d s  %s\n' $((SECONDS - began)) "$*"; }
fail() { say "FAILED: $*" >&2 && exit 1; }
# field PATH: a field of the JSON on standard input, as Python names it
field() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }

if ! "$here/openstack-lab" status >/dev/null 2>&1; then
    echo "SKIPPED: the lab is not up (deploy/lab/openstack-lab up)"
    exit 77
fi

run=$(mktemp -d "/tmp/$name.XXXXXX")
export AUTOOPT_RUN_DIR=$run
export AUTOOPT_LISTEN=127.0.0.1:7791
export AUTOOPT_SERVER=http://$AUTOOPT_LISTEN
export AUTOOPT_BUS_URL=amqp://guest:guest@127.0.0.1:5672/$name
export AUTOOPT_STORE_URL=postgres://postgres@127.0.0.1:5432/$name
for folder in "$root/target/release" "$root/target/debug"; do
    [ ! -x "$folder/autoopt-coordinator" ] || { autoopt=$folder/autoopt && break; }
done
[ -n "${autoopt:-}" ] || fail "nothing is built; run \`cargo build --workspace\`"

services_away() {
    dropdb -h 127.0.0.1 -U postgres --if-exists --force "$name" 2>/dev/null
    rabbitmqctl -q delete_vhost "$name" 2>/dev/null || true
}
services_end() {
    "$root/deploy/local-down" >/dev/null || true
    services_away
    say "logs are in $run"
}
# starts those that do not run
services_up() { "$root/deploy/local-up" "$root/examples/nova-weights.commands.toml" >>"$run/up.log" 2>&1 || fail "see $run/up.log"; }
# an empty vhost and database, and the services; all of it goes when the script ends
services_begin() {
    services_away
    createdb -h 127.0.0.1 -U postgres "$name"
    rabbitmqctl -q add_vhost "$name"
    rabbitmqctl -q set_permissions -p "$name" guest '.*' '.*' '.*'
    trap services_end EXIT
    services_up
}
