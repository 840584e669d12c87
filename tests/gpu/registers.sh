#!/bin/sh
# Registers, shared memory and spills of every kernel, for every generation of cards, as a table: tests/gpu/registers.sh
# [NVCC].  Needs the toolkit, no card.  Fails on any warning, and where a kernel spills registers or uses a stack.
set -eu
cd "$(dirname "$0")/../.."
nvcc=${1:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
if ! [ -x "$nvcc" ]; then
    echo "skipped: no nvcc"
    echo "0 passed, 0 failed, 1 skipped"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
arches=
for arch in 75 80 90 100 120; do
    if "$nvcc" --list-gpu-code | grep -qx "sm_$arch"; then
        arches="$arches -gencode arch=compute_$arch,code=sm_$arch"
    fi
done
passed=0 failed=0
for source in gpu/cuda/kernels_*.cu; do
    # shellcheck disable=SC2086
    if "$nvcc" -std=c++17 -O3 -fmad=false -I. $arches -Werror all-warnings -Xptxas -v,-warn-spills,-warn-lmem-usage \
        -Xcompiler -fPIC,-Wall,-Wextra,-Werror -c "$source" -o "$folder/kernel.o" 2>"$folder/log"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "failed: $source"
        grep -E "error|warning" "$folder/log" || true
    fi
    cat "$folder/log" >>"$folder/all"
done
"${CXXFILT:-c++filt}" <"$folder/all" | awk '
    /Compiling entry function/ {
        name = $0; sub(/.*function .(void )?/, "", name); sub(/\(.*/, "", name)
        arch = $0; sub(/.*for ./, "", arch); sub(/.$/, "", arch)
    }
    /bytes spill stores/ { spill = $5 + $9 + $1 }
    /Used [0-9]+ registers/ {
        registers = $0; sub(/.*Used /, "", registers); sub(/ .*/, "", registers)
        if (!(name in seen)) { seen[name] = 1; order[++names] = name }
        if (!(arch in known)) { known[arch] = 1; column[++columns] = arch }
        cell[name, arch] = registers (spill ? "!" spill : "")
        spilled += spill > 0
    }
    END {
        printf "%-36s", "registers a thread (! spilled bytes)"
        for (c = 1; c <= columns; c++) printf "%9s", column[c]
        print ""
        for (n = 1; n <= names; n++) {
            printf "%-36s", order[n]
            for (c = 1; c <= columns; c++) printf "%9s", cell[order[n], column[c]]
            print ""
        }
        exit spilled > 0
    }' >"$folder/table" && passed=$((passed + 1)) || failed=$((failed + 1))
cat "$folder/table"
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
