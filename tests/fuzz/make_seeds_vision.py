#!/usr/bin/python3
"""Write the files from which fuzz_vision starts, into the folder given: towers of each kind, as small as can be."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "parity"))
import towers  # noqa: E402

SMALL = dict(side=4, patch=2, width=4, heads=2, layers=1, ff=6, hidden=3, out=5)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, tower in {
            "llava": towers.Tower(class_row=True, pre=True, **SMALL),
            "old": towers.Tower(class_row=True, pre=True, exchanged=True, type="F16", **SMALL),
            "features": towers.Tower(features=[0, 1], **SMALL),
            "yi": towers.Tower(norms=True, fused=True, **SMALL),
            "idefics3": towers.Tower("idefics3", merge=2, post=True, patch_bias=True, gelu=True, **SMALL),
            "gemma3": towers.Tower("gemma3", merge=2, post=True, gelu=True, keys={"projector.scale_factor": 2},
                                   **SMALL)}.items():
        towers.build(folder / name, tower)


if __name__ == "__main__":
    main()
