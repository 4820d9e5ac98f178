# A background load, kept up for ever: AUTOOPT_LOAD has words of cpu=PERCENT, fileio=THREADS, network=MBIT, memory=PERCENT.
keep() {  # keep COMMAND...: starts it again when it ends
    while :; do
        "$@" > /dev/null 2>&1
        sleep 1
    done
}
mkdir -p "$AUTOOPT_DIRECTORY" && cd "$AUTOOPT_DIRECTORY" || exit 1
for word in ${AUTOOPT_LOAD:?has to say what load to keep up}; do
    amount=${word#*=}
    case $word in
        cpu=*)
            need stress-ng stress-ng
            keep stress-ng --cpu 0 --cpu-load "$amount" --timeout 0 & ;;
        memory=*)
            need stress-ng stress-ng
            keep stress-ng --vm 1 --vm-bytes "$amount%" --vm-keep --timeout 0 & ;;
        fileio=*)
            need sysbench sysbench
            size=--file-total-size=${AUTOOPT_FILE_SIZE:-4G}
            sysbench fileio "$size" --file-num=16 prepare > /dev/null
            keep sysbench fileio "$size" --file-num=16 --file-test-mode=rndrw --threads="$amount" --time=0 run & ;;
        network=*)
            need iperf3 iperf3
            keep iperf3 --client "${AUTOOPT_PEER:?has to name the network load\'s server}" --bitrate "${amount}M" --time 86400 & ;;
        *) say "AUTOOPT_LOAD: \`$word\` is none of cpu=, fileio=, network=, memory=" ;;
    esac
done
