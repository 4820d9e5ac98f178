# sysbench OLTP on the guest's own MariaDB, or on one that AUTOOPT_MYSQL_OPTIONS tells sysbench to use.
run_mysql() {
    need sysbench sysbench || return 1
    if [ -z "${AUTOOPT_MYSQL_OPTIONS:-}" ]; then
        need mariadbd mariadb-server || return 1
        systemctl start mariadb || return 1
        mariadb -e "create database if not exists sbtest; create user if not exists sbtest@localhost identified by 'sbtest';
            grant all on sbtest.* to sbtest@localhost" || return 1
        AUTOOPT_MYSQL_OPTIONS='--mysql-user=sbtest --mysql-password=sbtest --mysql-db=sbtest'
    fi
    options="--db-driver=mysql --tables=${AUTOOPT_TABLES:-4} --table-size=${AUTOOPT_ROWS:-100000} $AUTOOPT_MYSQL_OPTIONS"
    # shellcheck disable=SC2086
    sysbench oltp_read_write $options cleanup > /dev/null 2>&1
    # shellcheck disable=SC2086
    sysbench oltp_read_write $options prepare > /dev/null || return 1
    # shellcheck disable=SC2086
    measure sysbench oltp_read_write $options --threads="${AUTOOPT_THREADS:-10}"
    ended=$?
    # shellcheck disable=SC2086
    sysbench oltp_read_write $options cleanup > /dev/null
    return $ended
}
benchmark mysql run_mysql
