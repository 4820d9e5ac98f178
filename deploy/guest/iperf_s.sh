# iperf3, the server's side. It prints no result of its own.
need iperf3 iperf3
iperf3 --server --daemon --port "${AUTOOPT_PORT:-5201}"
