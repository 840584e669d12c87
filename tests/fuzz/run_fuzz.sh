#!/bin/sh
# run_fuzz.sh [SECONDS [NAME...]]: let libFuzzer loose on each target (or the named ones) for that long.  Without arguments, as
# a test: 10 seconds each, always from the same seed.  Else from chance, and from where the last run ended.
#
# Works in the build folder, where tests/fuzz/fuzz_NAME is built from fuzz_NAME.c.  Beside that may lie make_seeds_NAME.py
# (or .c), which writes files to start from into a folder, and NAME.dict, words of the format.
here=$(dirname "$0")
seconds=${1:-10}
repeat=-seed=1
[ $# = 0 ] || { shift; repeat=; }
passed=0 failed=0 skipped=0

fuzz() {
    name=$1 target=tests/fuzz/fuzz_$1 work=tests/fuzz/work-$1
    if [ ! -x "$target" ]; then
        echo "skipped: $name is not fuzzed: it takes clang with libFuzzer (clang, libclang-rt-14-dev)"
        skipped=$((skipped + 1))
        return
    fi
    [ -z "$repeat" ] || rm -rf "$work/found"
    mkdir -p "$work/found" "$work/seeds"
    if [ -f "$here/make_seeds_$name.py" ] && ! /usr/bin/python3 "$here/make_seeds_$name.py" "$work/seeds"; then
        echo "no seeds for $name (python3-numpy is missing?): starting from nothing"
    fi
    if [ -x "tests/fuzz/make_seeds_$name" ] && ! "tests/fuzz/make_seeds_$name" "$work/seeds"; then
        echo "no seeds for $name: starting from nothing"
    fi
    set -- -max_total_time="$seconds" $repeat -timeout=60 -rss_limit_mb=2048 -artifact_prefix="$work/crash-" \
        -verbosity=0 -print_final_stats=1
    [ ! -f "$here/$name.dict" ] || set -- "$@" -dict="$here/$name.dict"
    if "$target" "$@" "$work/found" "$work/seeds"; then
        passed=$((passed + 1))
    else
        echo "failed: $name: the input is in $work/crash-*"
        failed=$((failed + 1))
    fi
}

for source in "$here"/fuzz_*.c; do
    name=${source##*/fuzz_} name=${name%.c}
    case " ${*:-$name} " in
    *" $name "*) fuzz "$name" ;;
    esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] || exit 1
[ "$passed" != 0 ] || exit 77
