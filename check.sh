#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# usage: ./check.sh [part ...]
# Installs what the tests need (Debian 12, as root), builds with warnings as errors and
# runs every test. Parts, all by default and in this order:
#   style        clang-format, shellcheck, mandoc
#   unit         the unit tests, as packaged
#   asan         the unit tests under AddressSanitizer and UBSan
#   tsan         the unit tests, and some of integration, under ThreadSanitizer
#   integration  real Postfix, sendmail and name servers, the daemon under ASan and UBSan
#   guards       tests/guards: each daily event with each kind of list
#   chaos        tests/chaos for CHAOS_SECONDS (60) and tests/farm-chaos for
#                FARM_CHAOS_SECONDS (60), the daemons under ASan and UBSan
#   fuzz         each libFuzzer target for FUZZ_SECONDS (15)
#   cares        what uses c-ares, with Debian 13's (tests/cares-1.34)
# Logs are in build/check. The last line is "N passed, N failed"; exit 1 if any failed.
set -u
cd "$(dirname "$0")" || exit 1

# shellcheck source=tests/packages.sh
. tests/packages.sh
packages=("${build_packages[@]}" libcmocka-dev postfix rbldnsd swaks valgrind mandoc postgresql-15 clang
    libclang-rt-14-dev clang-format-14 shellcheck python3 python3-pytest python3-pytest-xdist
    sqlite3 git systemd-container fail2ban)
# What sendmail needs, which is unpacked only: m4 makes its sendmail.cf.
packages+=(m4 iproute2 libdb5.3 libldap-2.5-0 libnsl2 libsasl2-2 libsasl2-modules libwrap0)
jobs=$(nproc)
logs=build/check
passed=0
failed=0

note() { printf '\n== %s (after %d s)\n' "$*" $SECONDS; }

count() { # count PASSED FAILED WHAT: adds up, and says so
    passed=$((passed + $1))
    failed=$((failed + $2))
    printf '%-44s %4d passed, %d failed\n' "$3" "$1" "$2"
}

# Runs a command that is one test by itself; shows its output only if it fails.
check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$logs/$name.log" 2>&1; then
        count 1 0 "$name"
    else
        count 0 1 "$name"
        tail -n 40 "$logs/$name.log"
    fi
}

# Configures (once) and builds build/NAME; with a sanitizer at -O1, which takes a third less
# time.
build() { # build NAME GOAL CONFIGURE-ARGUMENT...
    local tree=build/$1 goal=$2 cflags='-g -O2'
    shift 2
    [[ "$*" != *--enable-sanitizer=* ]] || cflags='-g -O1'
    mkdir -p "$tree"
    [ -f "$tree/Makefile" ] ||
        (cd "$tree" && ../../configure -q --enable-werror CFLAGS="$cflags" "$@") || return
    make -s -C "$tree" -j"$jobs" "$goal"
}

declare -A built
try_build() { # the same, as a test, once
    [ -z "${built[$1]:-}" ] || return 0
    built[$1]=1
    check "build-$1" build "$@"
}

# A busy machine can make a test wait too long. What failed is run once more, alone; that
# it did is said, so that nobody takes it for well.
second_chance() { # second_chance NAME COMMAND...
    local name=$1
    shift
    echo "$name: some failed; once more:"
    grep -aE '^(FAIL|ERROR|FAILED)[: ]' "$logs/$name.log" | sort -u | head -n 40
    cp "$logs/$name.log" "$logs/$name-first.log"
    "$@" >"$logs/$name.log" 2>&1
}

# Every unit test program of a tree, counted by their cmocka tests; a program that ends
# before its summary counts as one failure more. Many mostly wait, so that more run at a time
# than there are processors.
unit_tests() { # unit_tests NAME
    local tree=build/$1
    if ! make -s -C "$tree" -j$((2 * jobs)) -k check >"$logs/$1.log" 2>&1; then
        cp "$tree/test-suite.log" "$logs/$1-suite-first.log" 2>/dev/null # why it failed
        second_chance "$1" make -s -C "$tree" recheck
    fi
    local ok=0 bad=0 run log
    for log in "$tree"/tests/unit/*.log "$tree"/tests/bench/*.log; do
        [ -e "$log" ] || continue
        run=$(grep -c '^\[ RUN  ' "$log")
        local good
        good=$(grep -c '^\[       OK \]' "$log")
        ok=$((ok + good))
        bad=$((bad + run - good))
        if grep -q '^:test-result: \(FAIL\|ERROR\)' "${log%.log}.trs"; then
            [ "$run" != "$good" ] || bad=$((bad + 1))
            tail -n 40 "$log"
        fi
    done
    if [ $((ok + bad)) = 0 ]; then
        bad=1
        tail -n 20 "$logs/$1.log"
    fi
    count $ok $bad "unit tests in $tree"
}

# Integration tests against the daemon of a tree; the sanitizers' reports are failures.
# They mostly wait, so that several can run at a time, the tests of a file one after another.
integration_tests() { # integration_tests TREE AT-A-TIME WHAT PYTEST-ARGUMENT...
    local tree=$1 at_a_time=$2 what=$3 log=$1-${3%% *} rc summary again=0
    shift 3
    local pytest=(env BUILD_DIR="$PWD/build/$tree" /usr/bin/python3 -m pytest -q --tb=short
        -o cache_dir="$PWD/$logs/pytest-$log")
    "${pytest[@]}" -n "$at_a_time" --dist loadfile "$@" >"$logs/$log.log" 2>&1
    rc=$?
    if [ $rc = 1 ]; then
        again=$(grep -oE '[0-9]+ passed' "$logs/$log.log" | tail -n 1 | cut -d' ' -f1)
        second_chance "$log" "${pytest[@]}" --last-failed "$@"
        rc=$?
    fi
    summary=$(grep -E '^[0-9]+ (passed|failed|skipped|error)' "$logs/$log.log" | tail -n 1)
    local ok bad errors
    ok=$(grep -oE '[0-9]+ passed' <<<"$summary" | cut -d' ' -f1)
    bad=$(grep -oE '[0-9]+ failed' <<<"$summary" | cut -d' ' -f1)
    errors=$(grep -oE '[0-9]+ error' <<<"$summary" | cut -d' ' -f1)
    bad=$((${bad:-0} + ${errors:-0}))
    [ $rc = 0 ] || [ $bad -gt 0 ] || bad=1
    if [ $bad -gt 0 ]; then
        tail -n 200 "$logs/$log.log"
    fi
    grep -E '[0-9]+ skipped' <<<"$summary"
    count $((${ok:-0} + ${again:-0})) $bad "$what"
}

part_style() {
    note "style"
    local c_files scripts
    mapfile -t c_files < <(git ls-files '*.c' '*.h')
    mapfile -t scripts < <(git grep -lE '^#!/bin/(ba)?sh' -- . ':!*.py')
    check clang-format clang-format-14 --dry-run --Werror "${c_files[@]}"
    check shellcheck shellcheck -x "${scripts[@]}"
    check mandoc mandoc -T lint -W warning man/*.[0-9]
}

part_unit() {
    note "unit"
    try_build plain all
    unit_tests plain
}

part_asan() {
    note "asan"
    try_build asan all --enable-sanitizer=address,undefined
    unit_tests asan
}

part_tsan() {
    note "tsan"
    try_build tsan all --enable-sanitizer=thread
    RBLMILTER_TEST_ROUNDS=15 unit_tests tsan # a child is slow to begin; the other builds have all
    # those where most threads meet
    local t=tests/integration
    integration_tests tsan 1 "integration tests in build/tsan" $t/test_burst.py \
        $t/test_hostile.py::test_many_peers_at_once \
        $t/test_reload.py::test_reload_under_load \
        $t/test_stop.py::test_what_is_listed_does_not_pass_at_the_end \
        $t/test_stop.py::test_stops_under_load
}

part_integration() {
    note "integration"
    try_build asan all --enable-sanitizer=address,undefined
    check sendmail-packages unpack_packages build/check/sendmail sendmail-bin sendmail-cf
    integration_tests asan 3 "integration tests" tests/integration
}

part_guards() {
    note "guards"
    try_build asan all --enable-sanitizer=address,undefined
    rm -f "$logs/guards.txt"
    GUARDS_TABLE=$PWD/$logs integration_tests asan 4 "guards" tests/guards --dist load
}

part_chaos() {
    note "chaos"
    try_build asan all --enable-sanitizer=address,undefined
    BUILD_DIR=$PWD/build/asan CHAOS_SECONDS=${CHAOS_SECONDS:-60} check chaos tests/chaos
    grep -E '^(chaos: seed|sessions )' "$logs/chaos.log"
    BUILD_DIR=$PWD/build/asan FARM_CHAOS_SECONDS=${FARM_CHAOS_SECONDS:-60} \
        check farm-chaos tests/farm-chaos
    grep -E '^(farm-chaos: (seed|all hosts)|changes )' "$logs/farm-chaos.log"
}

fuzz_one() { # fuzz_one PROGRAM: seeds are in tests/fuzz/seeds/NAME
    local name=${1##*/}
    local corpus=build/fuzz/corpus/$name seeds=tests/fuzz/seeds/$name
    mkdir -p "$corpus"
    [ -d "$seeds" ] || seeds=
    "$1" -max_total_time="${FUZZ_SECONDS:-15}" -timeout=10 -rss_limit_mb=2048 -verbosity=1 \
        -artifact_prefix="$logs/$name-" "$corpus" ${seeds:+"$seeds"} \
        >"$logs/$name.log" 2>&1
    echo $? >"$logs/$name.status"
}

part_fuzz() {
    note "fuzz"
    try_build fuzz fuzzers --enable-fuzzing --enable-sanitizer=address,undefined CC=clang
    local programs program name
    mapfile -t programs < <(find build/fuzz/tests/fuzz -maxdepth 1 -name 'fuzz_*' -executable -type f 2>/dev/null)
    for program in "${programs[@]}"; do
        while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n; done
        rm -f "$logs/${program##*/}.status"
        fuzz_one "$program" &
    done
    wait
    for program in "${programs[@]}"; do
        name=${program##*/}
        if [ "$(cat "$logs/$name.status" 2>/dev/null)" = 0 ]; then
            count 1 0 "$name"
        else
            count 0 1 "$name"
            tail -n 40 "$logs/$name.log"
        fi
    done
}

part_cares() {
    note "cares"
    tests/cares-1.34 >"$logs/cares.log" 2>&1
    local rc=$?
    case $rc in
    0)
        head -n 4 "$logs/cares.log"
        count 1 0 "cares-1.34"
        ;;
    77) echo "c-ares 1.34 NOT tested: Debian 13's packages cannot be had here" ;;
    *)
        count 0 1 "cares-1.34"
        tail -n 60 "$logs/cares.log"
        ;;
    esac
}

mkdir -p $logs
install_packages $logs/apt.log "${packages[@]}" || exit 1
# A tree that was configured in place cannot be built elsewhere.
if [ -f config.status ]; then
    make -s distclean >/dev/null 2>&1 || rm -f config.status
fi
if [ ! -f configure ] || [ configure.ac -nt configure ]; then
    autoreconf -fi >$logs/autoreconf.log 2>&1 || { cat $logs/autoreconf.log; exit 1; }
fi
[ $# -gt 0 ] || set -- style unit asan tsan integration guards chaos fuzz cares
for part in "$@"; do
    if ! declare -F "part_$part" >/dev/null; then
        echo "check.sh: no part \"$part\": expected style, unit, asan, tsan, integration, guards, chaos, fuzz or cares"
        exit 2
    fi
    "part_$part"
done
echo
echo "took $SECONDS s"
echo "$passed passed, $failed failed"
[ $failed = 0 ]
