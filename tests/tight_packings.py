"""Packing instances that are cut out of a full rectangle of bytes by time."""

from __future__ import annotations

import random

from splitopt.solvers.packing.instance import Buffer, LiveRange, PackingInstance

CAPACITY, STEPS = 1 << 20, 400
UNIT = 16


def tight(count: int, seed: int) -> PackingInstance:
    """`count` buffers that fill CAPACITY bytes at each of STEPS steps."""
    draw = random.Random(seed)
    boxes = [(0, STEPS, 0, CAPACITY // UNIT)]
    while len(boxes) < count:
        weights = [(z - a) * (y - x) for a, z, x, y in boxes]
        a, z, x, y = boxes.pop(draw.choices(range(len(boxes)), weights)[0])
        by_time = draw.random() < 0.5
        if (by_time and z - a < 2) or (not by_time and y - x < 2):
            boxes.append((a, z, x, y))
        elif by_time:
            at = draw.randrange(a + 1, z)
            boxes += [(a, at, x, y), (at, z, x, y)]
        else:
            at = draw.randrange(x + 1, y)
            boxes += [(a, z, x, at), (a, z, at, y)]
    draw.shuffle(boxes)
    return PackingInstance(tuple(Buffer(UNIT * (y - x), LiveRange(a, z)) for a, z, x, y in boxes))
