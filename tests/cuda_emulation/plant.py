#!/usr/bin/python3
"""Plants mistakes in copies of the CUDA device's sources, one at a time, and sees whether the tests on the emulated
card find them.  Those that only AddressSanitizer and UndefinedBehaviorSanitizer see count where the build has these;
those that no emulation of this kind sees are listed too, and tried where all are asked for (PLANT=all), so that the
list stays true.

What it cannot see, whatever is planted: atomics that are missing and blocks of a grid that disturb each other (blocks
run one after the other), memory ordering weaker than the host's, true overlap of streams (their work is only put off,
or done at once), the last bits of a card's arithmetic, uncoalesced access, bank conflicts and all else that costs time,
what a driver or a real cuBLAS refuses, and mistakes that two others make good.

Runs in the top build folder; tests/cuda_emulation/commands says how the device and its tests are compiled there."""
import concurrent.futures
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("srcdir", ".")
ALWAYS, SANITIZED, NEVER = "always", "with sanitizers", "never"

# unchanged copies must pass: else a find proves nothing
CONTROLS = [("rows", "kernels_rows.cu"), ("weight", "weight.c"), ("head", "kernels_head.cu")]

# what, in which file of gpu/cuda/, what stands there, what shall stand there, the test, who sees it
PLANTS = [
    ("no barrier before a tile is overwritten", "kernels_attend.cu",
     "__syncthreads(); /* the tile before is done with */", "", "attend", ALWAYS),
    ("no barrier between bringing keys and using them", "kernels_attend.cu",
     "key, work.limit, tile_keys);\n            __syncthreads();", "key, work.limit, tile_keys);", "attend", ALWAYS),
    ("no barrier before values overwrite keys", "kernels_attend.cu",
     "__syncthreads(); /* all have their scores */", "", "attend", ALWAYS),
    ("no barrier between bringing values and using them", "kernels_attend.cu",
     "work.see_end, tile_keys);\n            __syncthreads();", "work.see_end, tile_keys);", "attend", ALWAYS),
    ("no barrier after shared memory is set up", "kernels_attend.cu",
     "        range[1] = 0;\n    }\n    __syncthreads();", "        range[1] = 0;\n    }", "attend", ALWAYS),
    ("no barrier in a sum over a block", "launch.cuh",
     "= value;\n    __syncthreads();", "= value;", "rows", ALWAYS),
    ("no barrier before a sum's memory is used again", "launch.cuh",
     "scratch[i]);\n    __syncthreads();", "scratch[i]);", "rows", ALWAYS),
    ("a barrier that only some threads meet", "launch.cuh",
     "= value;\n    __syncthreads();", "= value;\n    if (threadIdx.x < warp_lanes)\n        __syncthreads();", "rows",
     ALWAYS),
    ("a shuffle after lanes have returned", "kernels_weight.cu",
     "if (row >= count)\n        return;", "if (row >= count || lane >= 16)\n        return;", "weight", ALWAYS),
    ("a lane outside the mask", "launch.cuh", "__shfl_xor_sync(whole_warp,", "__shfl_xor_sync(0x7fffffffu,", "rows",
     ALWAYS),
    ("shared memory that was never written", "kernels_attend.cu",
     "c < DIM / warp_lanes; c++)\n        row[", "c < DIM / warp_lanes - 1; c++)\n        row[", "attend", ALWAYS),
    ("too little shared memory", "kernels_attend.cu",
     "call->attention.kv_heads);\n", "call->attention.kv_heads);\n    bytes -= (pad + 1) * sizeof(float);\n", "attend",
     ALWAYS),
    ("a block that is too large", "launch.cuh", "warps < 8 ? warps : 8", "64", "rows", ALWAYS),
    ("a write past the end of the card's memory", "kernels_weight.cu",
     "y[row] = sum;", "y[row + 1] = y[row] = sum;", "weight", ALWAYS),
    ("a read past the end of the card's memory", "kernels_rows.cu",
     "y[k] = fmaf(scale, x[k], y[k]);", "y[k] = fmaf(scale, x[k], y[k] + (x[k + 1] > 3e38f ? 1.0f : 0.0f));", "rows",
     SANITIZED),
    ("misaligned vectors", "kernels_attend.cu", "constexpr int pad = 4;", "constexpr int pad = 3;", "attend",
     ALWAYS),
    ("a query sees one key too few", "kernels_attend.cu", "key <= row.see_last", "key < row.see_last", "attend",
     ALWAYS),
    ("a window of one key more", "kernels_attend.cu",
     "position - a.window + 1 : 0", "position - a.window : 0", "attend", ALWAYS),
    ("a window that counts beside a table of what is seen", "kernels_attend.cu",
     "    if (a.sees)\n        return a.sees[2 * position];\n", "", "attend", ALWAYS),
    ("a picture that sees what is before it only", "kernels_attend.cu",
     "return a.sees ? a.sees[2 * position + 1] : position;", "return position;", "attend", ALWAYS),
    ("a block that ends where its last query stands", "kernels_attend.cu",
     "work.see_end = last_visible(a, work.last) + 1;", "work.see_end = work.last + 1;", "attend", ALWAYS),
    ("the wrong head of a group", "kernels_attend.cu",
     "head = work.kv_head * group + (first + r) % group;", "head = work.kv_head + (first + r) % group * a.kv_heads;",
     "attend", ALWAYS),
    ("the wrong row of a probe's changes", "kernels_attend.cu",
     "work.span.key_row + position - work.span.key_position", "work.span.key_row + position", "attend", ALWAYS),
    ("a minimum over the keys of one lane", "kernels_attend.cu",
     "row[i].low = lanes_min(row[i].low);", "row[i].low += 0;", "attend", ALWAYS),
    ("a tile that is summed without being rescaled", "kernels_attend.cu", "row.sum *= shrink;", "", "attend", ALWAYS),
    ("a position taken for a row", "kernels_rows.cu",
     "(size_t)position[row] * norm.groups", "(size_t)row * norm.groups", "rows", ALWAYS),
    ("the scale of the wrong block", "kernels_rows.cu",
     "PACK_BLOCK))[column / PACK_BLOCK] = most", "PACK_BLOCK))[0] = most", "pack", ALWAYS),
    ("the scale of the wrong row", "kernels_weight.cu",
     "float scale = row_scale[row];", "float scale = row_scale[0];", "precision", ALWAYS),
    ("the nibbles of a block exchanged", "stored.cuh", "q[i % 16] >> i / 16 * 4", "q[i / 2] >> i % 2 * 4", "weight",
     ALWAYS),
    ("a state that is overwritten", "kernels_head.cu", "s.change += all_change;", "s.change = all_change;", "head",
     ALWAYS),
    ("a result that is read before it is there", "stream.c",
     'cudaMemcpyDeviceToHost, stream->cuda), "downloading"))\n        wait(stream);',
     'cudaMemcpyDeviceToHost, stream->cuda), "downloading"))\n        stream->staged += 0;', "rows", ALWAYS),
    ("a weight that is used before it is there", "weight.c", "status = cudaStreamSynchronize(NULL);",
     "status = cudaSuccess;",
     "weight", ALWAYS),
    ("uploads that leave from the same place", "stream.c",
     "stream->staging_used += (bytes", "stream->staging_used += 0 * (bytes", "rows", ALWAYS),
    ("staging memory that is used again too early", "stream.c",
     "        wait(stream);\n        stream->staging_start", "        stream->staging_start", "waits", ALWAYS),
    ("an operation that does not wait for what was staged", "stream.c",
     'card_check(stream, cudaStreamWaitEvent(stream->cuda, stream->copied, 0), "uploading");',
     "stream->failure.code += 0;", "waits", ALWAYS),
    ("a result that is copied before it is computed", "stream.c",
     '!card_check(stream, cudaStreamWaitEvent(stream->copies, stream->computed, 0), "a result") ||', "", "waits",
     ALWAYS),
    ("a wait within a layer", "stream.c",
     "    memcpy(stream->staging + place, host, bytes);",
     "    wait(stream);\n    memcpy(stream->staging + place, host, bytes);", "waits", ALWAYS),
    ("a failure that the next stream takes for its own", "stream.c",
     'cudaGetLastError(); /* "not ready"', '/* "not ready"', "errors", ALWAYS),
    ("the library's own workspace", "stream.c", "cublasSetWorkspace(stream->blas, stream->workspace, workspace_bytes)",
     "cublasSetStream(stream->blas, stream->cuda)", "weight", ALWAYS),
    ("scratch that grows a little with every group", "stream.c", "bytes = roomy(bytes ? bytes : 1);",
     "bytes = bytes ? bytes : 1;", "waits", ALWAYS),
    ("the wrong card of several", "stream.c", "cudaSetDevice(stream->card->ordinal)", "cudaSetDevice(0)", "several",
     ALWAYS),
    ("memory of the wrong card", "card.c",
     "cudaError_t status = cudaSetDevice(card->ordinal);", "cudaError_t status = cudaSetDevice(0);", "several", ALWAYS),
    ("a leading dimension that does not fit", "weight.c", "w->stride, x->data, type, x->stride,",
     "w->stride, x->data, type, x->stride - 1,", "weight", ALWAYS),
    ("a second launch of an attention that begins with the first's tasks", "attend.c", "call.task += n;",
     "call.task += 0;", "attend", ALWAYS),
    ("int8 matrices that are not padded", "weight.c", "enum { PAD = 16 }", "enum { PAD = 1 }", "precision", ALWAYS),
    *((f"nothing ({test})", file, "", "", test, NEVER) for test, file in CONTROLS),
    ("a minimum that is not atomic", "kernels_attend.cu",
     "atomicMin(&range[0], key);", "range[0] = key < range[0] ? key : range[0];", "attend", NEVER),
]

counts = {"passed": 0, "failed": 0, "skipped": 0}


def read_commands():
    with open("tests/cuda_emulation/commands", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split("=", 1) for line in file)


def finds(command, folder):
    """Whether a run fails; it is stopped at its first failing check."""
    # stdbuf is loaded before AddressSanitizer, which does not like that
    settings = dict(os.environ, ASAN_OPTIONS="verify_asan_link_order=0:detect_leaks=0")
    with subprocess.Popen(["stdbuf", "-oL", *command], env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT,
                          cwd=folder, text=True, errors="replace", bufsize=1) as run:
        for line in run.stdout:
            if "failed:" in line:
                run.kill()
                return True
        return run.wait() != 0


def build(commands, folder, file, test):
    """Compile the changed copy and link it with the test; the program's path."""
    compiler, source = commands["CC"], os.path.join(folder, "gpu/cuda", file)
    if not file.endswith(".c"): # a header: the kernels that the test is about include it
        kernels = file[:-3] if file.endswith(".cu") else f"kernels_{'weight' if test == 'precision' else test}"
        compiler, source = commands["CXX"], os.path.join(SOURCE, "tests/cuda_emulation", kernels + ".cc")
    changed, stem = f"{folder}/changed.o", glob.glob(f"tests/unit/test_cuda_{test}-test_*.o")[0]
    for line in (f"{compiler} -I{folder} {commands['CPPFLAGS']} -c {source} -o {changed}",
                 f"{commands['LINK']} -o {folder}/test {stem} {changed} {commands['OPEN'].replace('@', test)} "
                 f"{commands['LIBS']}"):
        subprocess.run(line, shell=True, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return os.path.join(folder, "test")


def try_plant(plant, commands, sanitized):
    what, file, old, new, test, seen_by = plant
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(os.path.join(SOURCE, "gpu/cuda"), os.path.join(folder, "gpu/cuda"))
        path = os.path.join(folder, "gpu/cuda", file)
        with open(path, encoding="utf-8") as source:
            text = source.read()
        if old not in text:
            return what, False, f"{file} holds no such place: {old!r}"
        with open(path, "w", encoding="utf-8") as source:
            source.write(text.replace(old, new, 1))
        try:
            found = finds([build(commands, folder, file, test)], ".")
        except subprocess.CalledProcessError as error:
            return what, False, "does not compile: " + error.stderr.decode(errors="replace")[-500:]
    wanted = seen_by == ALWAYS or (seen_by == SANITIZED and sanitized)
    if found == wanted or (found and seen_by == SANITIZED):
        return what, True, f"{'found' if found else 'not found'}: {what} (seen {seen_by})"
    return what, False, f"{'found' if found else 'not found'}, against what is written: {what} (seen {seen_by})"


def main():
    if not os.path.exists("tests/cuda_emulation/commands"):
        print("skipped: the emulated card is not built\n0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    commands = read_commands()
    sanitized = re.search("-fsanitize=[a-z,]*address", commands["CC"]) is not None
    every = os.environ.get("PLANT") == "all"
    chosen = [p for p in PLANTS if every or p[5] == ALWAYS or (p[5] == SANITIZED and sanitized) or p[2] == ""]
    counts["skipped"] = len(PLANTS) - len(chosen)
    if counts["skipped"]:
        print(f"skipped: {counts['skipped']} mistakes that a build like this does not see")
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("PLANT_JOBS", "2"))) as pool:
        for what, right, said in pool.map(lambda plant: try_plant(plant, commands, sanitized), chosen):
            counts["passed" if right else "failed"] += 1
            print(said if right else f"plant.py: failed: {what}: {said}", flush=True)
    print(", ".join(f"{number} {word}" for word, number in counts.items()))
    sys.exit(1 if counts["failed"] else 0)


if __name__ == "__main__":
    main()
