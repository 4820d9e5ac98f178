# iperf3, the client's side, to the server AUTOOPT_PEER.
run_iperf() {
    need iperf3 iperf3 || return 1
    iperf3 --json --client "$AUTOOPT_PEER" --port "${AUTOOPT_PORT:-5201}" --parallel "${AUTOOPT_STREAMS:-16}" \
        --time "$AUTOOPT_SECONDS" --omit "$AUTOOPT_WARMUP" > iperf.json || { cat iperf.json; return 1; }
    # the intervals would fill the console
    awk '/^\t"intervals"/ { print "\t\"intervals\":\t[],"; skip = 1 } /^\t"end"/ { skip = 0 } !skip' iperf.json
}
benchmark iperf_c run_iperf
