# sysbench fileio: random reads and writes past the page cache.
run_fileio() {
    need sysbench sysbench || return 1
    options="--file-total-size=${AUTOOPT_FILE_SIZE:-4G} --file-num=16 --file-test-mode=rndrw --file-extra-flags=direct"
    # shellcheck disable=SC2086
    sysbench fileio $options prepare > /dev/null || return 1
    # shellcheck disable=SC2086
    measure sysbench fileio $options --threads="${AUTOOPT_THREADS:-12}"
    ended=$?
    # shellcheck disable=SC2086
    sysbench fileio $options cleanup > /dev/null
    return $ended
}
benchmark fileio run_fileio
