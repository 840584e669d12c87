#!/bin/sh
# Pictures of the screen, as a person sees it: tests/tui/screenshots.sh, in the build folder.  They are left in
# tests/tui/screenshots:
#   sixel.png   in an xterm that draws sixel        light.png   the same on a light ground, the picture in focus
#   tmux.png    in a tmux that draws none           words.png   a prompt without a picture
#   proof.png   the curves in the place of the candidates
#   changed.png what an edit of that changed        beside.png  both prompts side by side
# on the shipped model, or on the engine without one where that sees no pictures.  assets/screen.png is the first.
# What is checked is that the pane is full of colours in both; the rest is for eyes.
set -u
out=$PWD/tests/tui/screenshots
passed=0 failed=0 skipped=0

end() {
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] || exit 1
    [ "$passed" != 0 ] || exit 77
    exit 0
}

if [ "${1:-}" != inside ]; then
    for tool in xvfb-run Xvfb xauth xterm xdotool import convert script tmux; do
        if ! command -v "$tool" >/dev/null 2>&1; then
            echo "skipped: screenshots need $tool (xvfb, xauth, xterm, xdotool, imagemagick, bsdutils, tmux)"
            skipped=1
            end
        fi
    done
    exec xvfb-run -a -s '-screen 0 1280x800x24' "$0" inside
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
unset TMUX NO_COLOR COLORTERM
export LC_ALL=C.UTF-8

program=$PWD/atmanscope
pictures=$(cd "${srcdir:-..}/assets/pictures" && pwd)
question="--no-history -p 'What colour is the cat?' --image '$pictures/cat.png'"
story="--no-history -p 'Anna has a red ball. Tom has a blue hat. What does Tom have?'"
if ! [ -e assets/demo-mmproj.gguf ]; then
    echo "the shipped model sees no pictures: the engine without a model stands in for it"
    program=$PWD/tests/tui/fake_screen question='' story=''
    export FAKE_PICTURES=1 FAKE_BATCH=16
fi

# settle FILE TEXT  Wait until the text was sent, and then until nothing more is.
settle() {
    tries=0
    until grep -q "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] && kill -0 "$terminal" 2>/dev/null || return 1
        sleep 0.1
    done
    before=-1
    while size=$(wc -c <"$1") && [ "$size" != "$before" ]; do
        before=$size
        sleep 0.7
    done
}

# shoot NAME GROUND INK XTERM_OPTIONS KEYS COMMAND...
shoot() {
    name=$1 ground=$2 ink=$3 options=$4 keys=$5
    shift 5
    rm -f "$work/log"
    printf '#!/bin/sh\n%s\n' "exec $*" >"$work/command"
    chmod +x "$work/command"
    # shellcheck disable=SC2086
    xterm -xrm 'XTerm*cursorBlink: false' -u8 -b 6 -geometry 80x24+0+0 -fa 'DejaVu Sans Mono' -fs 12 -bg "$ground" \
        -fg "$ink" $options -e script -q -f -c "$work/command" "$work/log" 2>"$work/errors" &
    terminal=$!
    if ! settle "$work/log" 'probes in'; then
        echo "failed: $name: the measurement did not end"
        tail -c 500 "$work/log" "$work/errors"
        failed=$((failed + 1))
    else
        for key in $keys; do
            case $key in -*) xdotool type -- "${key#-}" ;; *) xdotool key "$key" ;; esac
            sleep 0.2
        done
        settle "$work/log" 'probes in'
        window=$(xdotool search --class xterm | tail -n 1)
        timeout 20 import -window "$window" "$work/shot.png" &&
            convert "$work/shot.png" -strip +dither -colors 255 "PNG8:$out/$name.png"
        colours=$(convert "$work/shot.png" -gravity NorthEast -crop 40x70%+0+0 +repage -format %k info:)
        check "$name" "$colours"
    fi
    kill "$terminal" 2>/dev/null
    wait "$terminal" 2>/dev/null
}

check() { # NAME COLOURS
    least=60
    case $1 in words | proof | changed | beside) least=5 ;; esac
    if [ "$2" -ge "$least" ]; then
        passed=$((passed + 1))
        echo "$1: $2 colours"
    else
        failed=$((failed + 1))
        echo "failed: $1: $2 colours where the picture is"
    fi
}

tmux=$work/tmux
shoot sixel black grey88 '-ti vt340 -tn xterm-256color' 'Tab' "$program $question"
shoot light white black '-ti vt340 -tn xterm-256color' 'Tab Tab' "$program $question"
shoot tmux black grey88 '-tn xterm-256color' 'Tab Tab' "tmux -f /dev/null -S $tmux new-session $program $question"
tmux -S "$tmux" kill-server 2>/dev/null
unset FAKE_PICTURES
shoot words black grey88 '-tn xterm-256color' 'Tab' "$program $story"
shoot proof black grey88 '-tn xterm-256color' 'Tab Right e' "$program $story"
edit='ctrl+Left ctrl+Left ctrl+Left ctrl+Left ctrl+Left ctrl+w -green space Return Tab Right'
shoot changed black grey88 '-tn xterm-256color' "$edit w" "$program $story"
shoot beside white black '-tn xterm-256color' "$edit w w" "$program $story"
end
