"""The sixteen kinds of thing that the demo model knows by sight, as layers of simple shapes.

Owns the drawings.  A layer has an ink (main: the thing's colour, shade: a darker one, dark, light, brown) and a shape;
later layers cover earlier ones, and a dark outline goes around the whole.  Coordinates: -1.15 to 1.15, y down.
"""

import numpy as np

RASTER = 384  # pixels a side in which shapes are drawn, before they are averaged down
SPAN = 2.3
INKS = ("main", "shade", "dark", "light", "brown")
OUTLINE = 9   # pixels of the raster

_AXIS = (np.arange(RASTER) + 0.5) / RASTER * SPAN - SPAN / 2
X, Y = np.meshgrid(_AXIS, _AXIS)


def ellipse(x, y, across, down, degrees=0):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    u, v = (X - x) * cosine + (Y - y) * sine, -(X - x) * sine + (Y - y) * cosine
    return (u / across) ** 2 + (v / down) ** 2 <= 1


def polygon(*corners):
    inside = np.zeros(X.shape, bool)
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1]):
        if y0 != y1:
            inside ^= ((y0 <= Y) != (y1 <= Y)) & (X < (x1 - x0) * (Y - y0) / (y1 - y0) + x0)
    return inside


def box(left, top, right, bottom):
    return (X >= left) & (X <= right) & (Y >= top) & (Y <= bottom)


def ring(x, y, outer, inner):
    return ellipse(x, y, outer, outer) & ~ellipse(x, y, inner, inner)


def star(points, outer, inner):
    radii = [outer, inner] * points
    return polygon(*[(r * np.sin(np.pi * i / points), -r * np.cos(np.pi * i / points)) for i, r in enumerate(radii)])


def petals(count, y, distance, radius):
    angles = np.arange(count) * 2 * np.pi / count
    return np.any([ellipse(distance * np.sin(a), y - distance * np.cos(a), radius, radius) for a in angles], axis=0)


def car():
    yield "main", (box(-1, -.05, 1, .42) | ellipse(-.9, .2, .12, .22)
                   | polygon((-.62, 0), (-.4, -.48), (.35, -.48), (.68, 0)))
    yield "light", (polygon((-.5, -.04), (-.34, -.38), (-.06, -.38), (-.06, -.04))
                    | polygon((.06, -.04), (.06, -.38), (.3, -.38), (.52, -.04)))
    yield "dark", ellipse(-.55, .45, .26, .26) | ellipse(.55, .45, .26, .26)
    yield "light", ellipse(-.55, .45, .1, .1) | ellipse(.55, .45, .1, .1)


def tree():
    yield "brown", box(-.14, .2, .14, 1)
    yield "main", ellipse(0, -.35, .55, .6) | ellipse(-.4, 0, .42, .4) | ellipse(.4, 0, .42, .4)
    yield "shade", ellipse(-.2, -.1, .12, .1) | ellipse(.25, -.4, .12, .1)


def house():
    yield "main", box(-.7, -.1, .7, .9)
    yield "brown", polygon((-.95, -.05), (0, -.95), (.95, -.05))
    yield "dark", box(-.15, .35, .18, .9)
    yield "light", box(-.52, .1, -.25, .38) | box(.32, .1, .58, .38)


def fish():
    yield "main", ellipse(-.15, 0, .72, .45) | polygon((.4, 0), (1, -.5), (.85, 0), (1, .5))
    yield "shade", polygon((-.1, -.4), (.25, -.7), (.3, -.35)) | ellipse(0, .1, .2, .12)
    yield "light", ellipse(-.55, -.1, .13, .13)
    yield "dark", ellipse(-.56, -.1, .06, .06)


def pointed_star():
    yield "main", star(5, 1, .42)


def cat():
    yield "main", (ellipse(0, .1, .72, .62) | polygon((-.7, .1), (-.68, -.9), (-.12, -.4))
                   | polygon((.7, .1), (.68, -.9), (.12, -.4)))
    yield "light", ellipse(-.28, 0, .17, .13) | ellipse(.28, 0, .17, .13)
    yield "dark", (ellipse(-.28, 0, .06, .12) | ellipse(.28, 0, .06, .12) | polygon((-.1, .25), (.1, .25), (0, .38))
                   | box(-.9, .3, -.3, .34) | box(.3, .3, .9, .34) | box(-.85, .44, -.3, .48) | box(.3, .44, .85, .48))


def boat():
    yield "main", polygon((-1, .35), (1, .35), (.65, .85), (-.65, .85))
    yield "brown", box(-.06, -.95, .05, .35)
    yield "light", polygon((.1, -.9), (.1, .22), (.85, .22))
    yield "shade", polygon((-.12, -.65), (-.12, .22), (-.65, .22))


def flower():
    yield "brown", box(-.05, .2, .05, 1.05)
    yield "main", petals(6, -.2, .52, .29)
    yield "light", ellipse(0, -.2, .27, .27)
    yield "dark", ellipse(0, -.2, .1, .1)


def cup():
    yield "main", ring(.6, .05, .42, .24) | polygon((-.75, -.6), (.55, -.6), (.4, .8), (-.6, .8))
    yield "shade", ellipse(-.1, -.6, .65, .16)
    yield "brown", ellipse(-.1, -.58, .52, .1)


def bird():
    yield "main", (ellipse(-.05, .1, .6, .4, -15) | ellipse(.5, -.35, .3, .3)
                   | polygon((-.45, .1), (-1, 0), (-.95, .4), (-.4, .35)))
    yield "shade", ellipse(-.1, .08, .34, .2, 20)
    yield "brown", polygon((.74, -.45), (1.08, -.3), (.74, -.2)) | box(-.1, .45, -.03, .95) | box(.12, .45, .19, .95)
    yield "light", ellipse(.55, -.4, .1, .1)
    yield "dark", ellipse(.57, -.4, .05, .05)


def umbrella():
    yield "dark", box(-.05, -.9, .05, .75) | (ellipse(.16, .72, .22, .25) & ~ellipse(.16, .72, .12, .15) & (Y > .72))
    yield "main", ellipse(0, .05, .98, .9) & (Y < .05)
    yield "shade", ellipse(0, .05, .45, .9) & ~ellipse(0, .05, .34, .9) & (Y < .05)


def mushroom():
    yield "light", box(-.25, 0, .25, .85) | ellipse(0, .8, .36, .16)
    yield "main", ellipse(0, .1, .95, .85) & (Y < .12)
    yield "light", ellipse(-.4, -.2, .16, .14) | ellipse(.15, -.45, .16, .14) | ellipse(.5, -.08, .13, .11)


def heart():
    yield "main", (ellipse(-.42, -.3, .48, .48) | ellipse(.42, -.3, .48, .48)
                   | polygon((-.87, -.12), (.87, -.12), (0, .95)))


def rocket():
    yield "shade", polygon((-.3, .2), (-.7, .75), (-.3, .65)) | polygon((.3, .2), (.7, .75), (.3, .65))
    yield "main", ellipse(0, -.05, .38, 1) & (Y < .65)
    yield "light", ellipse(0, -.25, .18, .18)
    yield "brown", polygon((-.22, .66), (.22, .66), (0, 1.1))


def key():
    yield "main", ring(-.55, 0, .45, .2) | box(-.15, -.12, 1, .12) | box(.5, 0, .65, .42) | box(.8, 0, .97, .36)


def hat():
    yield "main", (ellipse(0, .45, 1, .22) | polygon((-.55, .45), (-.45, -.6), (.45, -.6), (.55, .45))
                   | ellipse(0, -.6, .45, .14))
    yield "dark", polygon((-.56, .36), (-.53, .1), (.53, .1), (.56, .36))


DRAWINGS = {"car": car, "tree": tree, "house": house, "fish": fish, "star": pointed_star, "cat": cat, "boat": boat,
            "flower": flower, "cup": cup, "bird": bird, "umbrella": umbrella, "mushroom": mushroom, "heart": heart,
            "rocket": rocket, "key": key, "hat": hat}
KINDS = list(DRAWINGS)


def widened(shape, by):
    wide = shape.copy()
    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        wide |= np.roll(shape, (round(by * np.cos(angle)), round(by * np.sin(angle))), (0, 1))
    return wide


def bank(side):
    """[kinds, side, side, inks] f32: how much of each ink every texel holds."""
    inks = np.zeros((len(KINDS), side, side, len(INKS)), np.float32)
    step = RASTER // side
    for kind, draw in enumerate(DRAWINGS.values()):
        drawn = np.full(X.shape, -1)
        for ink, shape in draw():
            drawn[shape] = INKS.index(ink)
        drawn[widened(drawn >= 0, OUTLINE) & (drawn < 0)] = INKS.index("dark")
        for ink in range(len(INKS)):
            inks[kind, ..., ink] = (drawn == ink).reshape(side, step, side, step).mean((1, 3))
    return inks
