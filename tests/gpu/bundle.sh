#!/bin/sh
# Pack what tests/gpu/run.sh needs, for a machine that has a card but cannot build: tests/gpu/bundle.sh [FILE.tar.gz]
#   in a build folder with the CUDA device, after make check TESTS=.  There: tar xzf FILE.tar.gz; cd card; tests/gpu/run.sh
# It holds the programs, our libraries but for the C and C++ ones, scripts and the shipped model: some 25 MB.  The driver,
# cuBLAS and the CUDA runtime must be there, and a C library no older than the one here.
set -eu
file=${1:-card.tar.gz}
source=$(cd "${srcdir:-$(dirname "$0")/../..}" && pwd)
if ! [ -f atmanscope-cuda.so ] || ! [ -x tests/unit/test_device_rows ]; then
    echo "run this in a build folder with the CUDA device, after make check TESTS=" >&2
    exit 1
fi
make -s tests/bench/bench_device
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
card=$folder/card
mkdir -p "$card/lib" "$card/tests/unit" "$card/tests/bench" "$card/tests/gpu" "$card/tests/parity" "$card/assets"
cp atmanscope atmanscope-cuda.so "$card"
cp tests/unit/test_device_* "$card/tests/unit" 2>/dev/null || true
rm -f "$card"/tests/unit/*.o "$card"/tests/unit/*.log "$card"/tests/unit/*.trs
cp tests/bench/bench_device "$card/tests/bench"
cp "$source"/tests/gpu/run.sh "$source"/tests/gpu/model.py "$card/tests/gpu"
cp "$source"/tests/parity/*.py "$card/tests/parity"
cp -r "$source"/assets/demo.gguf "$source"/assets/demo-mmproj.gguf "$source"/assets/pictures "$card/assets"
strip --strip-unneeded "$card/atmanscope" "$card"/tests/unit/test_device_* "$card/tests/bench/bench_device"
for library in $(ldd atmanscope | awk '$3 ~ /^\// {print $3}'); do
    case ${library##*/} in
    libc.so.* | libm.so.* | libstdc++.so.* | libgcc_s.so.* | ld-linux*) ;;
    *) cp -L "$library" "$card/lib" ;;
    esac
done
tar -C "$folder" -czf "$file" card
ls -l "$file"
