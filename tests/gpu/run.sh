#!/bin/sh
# All that has to be seen on a real card, the most telling first: tests/gpu/run.sh [DEVICE [STEP...]]
#   in a build folder after make and make check TESTS= (`./start card` does all of it), or in what tests/gpu/bundle.sh packed.
#   kernels       the tests of every device: each operation at odd sizes against double precision
#   shipped       every kind of pass on the shipped model, beside the CPU's
#   speed         single operations on both, and their ratio; maps of the shipped model and of one as large as real ones
#   large         weights in pieces, thousands of keys, more than 2^31 elements
#   explanations  random small models of every family and picture tower, beside the CPU's; all cards at once
#   sanitizers    compute-sanitizer's four tools on our own kernels, where it is installed
# LIMIT: seconds for all of it (540); a step that this leaves no time for says so. Skipped where there is no card.
set -u
device=${1:-cuda}
[ $# = 0 ] || shift
steps=${*:-kernels shipped speed large explanations sanitizers}
source=$(cd "${srcdir:-$(dirname "$0")/../..}" && pwd)
limit=${LIMIT:-540} began=$(date +%s)
log=card.log
passed=0 failed=0 skipped=0 summary= slow=

end() {
    if [ -n "$summary" ]; then
        printf '\n== summary, after %d s\n%s' "$(($(date +%s) - began))" "$summary"
    fi
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] || exit 1
    [ "$passed" != 0 ] || exit 77
    exit 0
}
skip() {
    echo "skipped: $*"
    skipped=$((skipped + 1))
}
tell() { # WHAT RESULT SECONDS SAID
    line=$(printf '%-30s %-10s %4d s  %s' "$@" | cut -c 1-200)
    echo "$line"
    summary="$summary$line
"
}
try() { # WHAT SECONDS COMMAND...: a command that says in its last line what came of it
    what=$1 most=$2 start=$(date +%s)
    shift 2
    left=$((limit - (start - began)))
    if [ "$left" -lt 3 ]; then
        tell "$what" "no time" 0 ""
        skipped=$((skipped + 1))
        return
    fi
    cut=
    [ "$most" -lt "$left" ] || most=$left cut=yes
    timeout -k 5 "$most" "$@" >$log 2>&1
    status=$? took=$(($(date +%s) - start))
    last=$(grep -a . $log | tail -n 1)
    # an error that a sanitizer has told counts, though it had no time to sum up; and what is not slow has no end
    if [ $status = 124 ] && [ -n "$cut$slow" ] && ! grep -qaE 'failed:|^=========.*(Invalid|Error|ERROR|hazard|Uninitialized|Barrier)' $log; then
        tell "$what" unfinished $took "no failure until then"
        skipped=$((skipped + 1))
    elif [ $status = 0 ]; then
        tell "$what" ok $took "$last"
        passed=$((passed + 1))
    elif [ $status = 77 ]; then
        tell "$what" skipped $took "$(sed -n 's/^skipped: //p' $log | head -n 1)"
        skipped=$((skipped + 1))
    else
        tell "$what" FAILED $took "status $status: $last"
        failed=$((failed + 1))
        grep -aE 'failed:|=====' $log | head -n 12 | cut -c 1-300
        tail -n 8 $log | cut -c 1-300
    fi
}

# -- what is here ------------------------------------------------------------------------------------------------------

# Where libraries are that the loader does not find: with the toolkit, or in a Python package.
find_libraries() {
    [ ! -d lib ] || export LD_LIBRARY_PATH="$PWD/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
    for name in $(ldd ./atmanscope-cuda.so 2>/dev/null | awk '/not found/ {print $1}' | sort -u); do
        found=$(find -L /usr/local /opt /usr/lib "$HOME" -name "$name" 2>/dev/null | head -n 1)
        [ -z "$found" ] || export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${found%/*}"
    done
}
find_python() { # one that has NumPy
    for python in /usr/bin/python3 python3; do
        "$python" -c 'import numpy' 2>/dev/null && return
    done
    python=
}
find_tool() { # NAME: its path
    command -v "$1" || ls /usr/local/cuda*/bin/"$1" /opt/cuda*/bin/"$1" 2>/dev/null | head -n 1
}

if ! [ -f atmanscope-cuda.so ]; then
    skip "this build has no CUDA device: configure --with-cuda=yes, in the build folder"
    end
fi
if ! [ -x tests/unit/test_device_rows ]; then
    skip "the tests are not built: make check TESTS= builds them"
    end
fi
find_libraries
find_python
folder=$(mktemp -d)
trap 'rm -rf "$folder" $log tests/unit/atmanscope-cuda.so tests/bench/atmanscope-cuda.so' EXIT
trap 'exit 130' INT TERM HUP
for place in tests/unit tests/bench; do # programs look for the module beside themselves
    [ -d $place ] && ln -sf ../../atmanscope-cuda.so $place/atmanscope-cuda.so
done
timeout 100 tests/unit/test_device_rows "$device" >$log 2>&1
if [ $? = 77 ]; then
    skip "$(sed -n 's/^skipped: //p' $log)"
    end
fi
echo "== $device, $(date -u '+%Y-%m-%d %H:%M') UTC, $(nproc) processors"
nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap,clocks.max.sm --format=csv,noheader 2>/dev/null
ldd ./atmanscope-cuda.so | awk '/libcu(blas|dart)\./ {print $1, $3}'

# -- the steps ---------------------------------------------------------------------------------------------------------

kernels() {
    for test in rows weight precision attend head pack streams; do
        try "kernels: $test" 60 "tests/unit/test_device_$test" "$device"
    done
}

compare() { # WHAT SECONDS DEVICE PART...
    what=$1 most=$2 on=$3
    shift 3
    if [ -z "$python" ]; then
        skip "$what: no Python with NumPy"
        return
    fi
    try "$what" "$most" env srcdir="$source" CARD=./atmanscope DEVICE="$on" PYTHONDONTWRITEBYTECODE=1 \
        "$python" "$source/tests/parity/test_cuda.py" "$@"
    grep -a '^largest differences' $log
}

shipped() {
    compare "shipped model" 120 "$device" shipped refusals
}

# Lines of bench_device of a card and a CPU, side by side; NAME is 36 columns wide.
ratios() {
    awk '{name = substr($0, 1, 36); wide = $0 ~ / 1 stream /; $0 = substr($0, 37)}
        wide && FNR == NR && !(name in card) {card[name] = $3}
        wide && FNR != NR && !told[name]++ && card[name] > 0 {printf "  %s %8.1f times the CPU\n", name, $3 / card[name]}' "$1" "$2"
}

speed() {
    slow=yes
    if [ -x tests/bench/bench_device ]; then
        try "operations, card" 60 tests/bench/bench_device "$device"
        cat $log
        cp $log "$folder/card"
        try "operations, CPU" 60 tests/bench/bench_device cpu
        ratios "$folder/card" $log
    else
        skip "make tests/bench/bench_device for the speed of single operations"
    fi
    for on in "$device" cpu; do
        try "shipped model, $on" 60 ./atmanscope bench -q --device "$on" --length 400
        grep -aE '^(device|prompt|plain pass|full map|first colours|a cancel)' $log
    done
    [ -n "$python" ] && nice "$python" "$source/tests/gpu/model.py" "$folder/large.gguf" || return
    for tokens in 128 1024; do
        try "1 billion weights, $tokens tokens" 100 ./atmanscope bench -q -m "$folder/large.gguf" --device "$device" \
            --length $tokens
        grep -aE '^(device|prompt|plain pass|full map|first colours|a cancel)' $log
    done
    try "the same, CPU, 32 tokens" 60 ./atmanscope bench -q -m "$folder/large.gguf" --device cpu --length 32
    grep -aE '^(plain pass|full map)' $log
    rm -f "$folder/large.gguf"
}

large() {
    try "large sizes" 150 tests/unit/test_device_large "$device"
}

explanations() {
    compare "explanations" 240 "$device" too-wide texts sights
    if [ "$(nvidia-smi --list-gpus 2>/dev/null | wc -l)" -gt 1 ]; then
        compare "explanations, all cards" 120 cuda:all shipped texts
    else
        skip "there is one card: nothing to see of cuda:all"
    fi
}

# What calls cuBLAS is left to memcheck: the other tools tell of the library's kernels what is none of our business.
sanitizers() {
    slow=yes
    sanitizer=$(find_tool compute-sanitizer)
    if [ -z "$sanitizer" ]; then
        skip "compute-sanitizer is not installed (it comes with the CUDA toolkit)"
        return
    fi
    for tool in memcheck racecheck synccheck initcheck; do
        for test in rows pack attend; do
            try "$tool: $test" 60 "$sanitizer" --tool "$tool" --error-exitcode 1 "tests/unit/test_device_$test" "$device"
        done
    done
    for test in head weight precision; do
        try "memcheck: $test" 60 "$sanitizer" --error-exitcode 1 "tests/unit/test_device_$test" "$device"
    done
}

for step in $steps; do
    case $step in
    kernels | shipped | speed | large | explanations | sanitizers)
        echo "== $step"
        slow=
        $step
        ;;
    *) skip "there is no step $step" ;;
    esac
done
end
