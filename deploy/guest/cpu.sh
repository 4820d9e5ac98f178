# sysbench cpu: events per second.
run_cpu() {
    need sysbench sysbench || return 1
    measure sysbench cpu --threads="${AUTOOPT_THREADS:-$(nproc)}" --cpu-max-prime="${AUTOOPT_PRIMES:-20000}"
}
benchmark cpu run_cpu
