# RabbitMQ PerfTest against the guest's own broker. PerfTest is no Debian package: AUTOOPT_PERF_TEST names it where the
# image has it.
run_rabbitmq() {
    perf_test=${AUTOOPT_PERF_TEST:-/opt/perf-test/bin/runjava}
    [ -x "$perf_test" ] || { echo "there is no $perf_test: put RabbitMQ PerfTest into the image"; return 1; }
    need rabbitmqctl rabbitmq-server || return 1
    retry rabbitmqctl -q await_startup || return 1
    "$perf_test" com.rabbitmq.perf.PerfTest --uri "${AUTOOPT_BROKER:-amqp://guest:guest@127.0.0.1}" \
        --producers "${AUTOOPT_PRODUCERS:-16}" --consumers "${AUTOOPT_CONSUMERS:-16}" --time "$AUTOOPT_SECONDS"
}
benchmark rabbitmq run_rabbitmq
