#!/bin/sh
# All that has to be seen on a real card: tests/gpu/run.sh [cuda:N], in the build folder, after make and make check.
#   the tests of every device, on the card; whole explanations against the CPU's; the same under compute-sanitizer, where
#   it is installed; and the speed of single operations.
# Skipped where there is no card.  QUICK=1 leaves out compute-sanitizer and the bench.
set -u
device=${1:-cuda}
source=${srcdir:-$(dirname "$0")/../..}
passed=0 failed=0 skipped=0

end() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] || exit 1
    [ "$passed" != 0 ] || exit 77
    exit 0
}
skip() {
    echo "skipped: $*"
    skipped=$((skipped + 1))
}
try() { # WHAT COMMAND...
    what=$1
    shift
    if "$@" >card.log 2>&1; then
        passed=$((passed + 1))
        echo "$what: $(tail -n 1 card.log)"
    else
        failed=$((failed + 1))
        echo "failed: $what"
        tail -n 20 card.log
    fi
}

if ! [ -f atmanscope-cuda.so ]; then
    skip "this build has no CUDA device: configure --with-cuda=yes, in the build folder"
    end
fi
if ! [ -x tests/unit/test_device_rows ]; then
    skip "the tests are not built: make check builds them"
    end
fi
trap 'rm -f card.log tests/unit/atmanscope-cuda.so tests/bench/atmanscope-cuda.so' EXIT
for folder in tests/unit tests/bench; do # programs look for the module beside themselves
    [ -d "$folder" ] && ln -sf ../../atmanscope-cuda.so "$folder/atmanscope-cuda.so"
done
tests/unit/test_device_rows "$device" >card.log 2>&1
if [ $? = 77 ]; then
    skip "$(sed -n 's/^skipped: //p' card.log)"
    end
fi
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader

for test in rows pack weight precision attend head streams; do
    try "$test" "tests/unit/test_device_$test" "$device"
done
try "explanations" env CARD=./atmanscope DEVICE="$device" "$source/tests/parity/test_cuda.py"
if command -v nvidia-smi >/dev/null && [ "$(nvidia-smi --list-gpus | wc -l)" -gt 1 ]; then
    try "explanations, all cards" env CARD=./atmanscope DEVICE=cuda:all "$source/tests/parity/test_cuda.py"
else
    skip "there is one card: nothing to see of cuda:all"
fi
[ "${QUICK:-0}" = 0 ] || end

if command -v compute-sanitizer >/dev/null; then
    for tool in memcheck racecheck initcheck synccheck; do
        for test in rows pack weight precision head; do
            try "$tool, $test" compute-sanitizer --tool "$tool" --error-exitcode 1 "tests/unit/test_device_$test" "$device"
        done
    done
    try "memcheck, attend" compute-sanitizer --error-exitcode 1 tests/unit/test_device_attend "$device"
    try "racecheck, attend" compute-sanitizer --tool racecheck --error-exitcode 1 tests/unit/test_device_attend "$device"
else
    skip "compute-sanitizer is not installed (it comes with the CUDA toolkit)"
fi
if [ -x tests/bench/bench_device ]; then
    tests/bench/bench_device "$device"
else
    skip "make tests/bench/bench_device for the speed of single operations"
fi
./atmanscope bench --device "$device" || failed=$((failed + 1))
end
