"""How the frames of a case are cut into the pieces that are written: one after the other, each read by itself."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import accumulate, pairwise

CHUNKINGS = ("whole", "frames", "bytes", "early", "late", "mask", "random")
_LONG, _HEAD, _TAIL = 300, 16, 4


def chunked(frames: Sequence[bytes], how: str, dice: random.Random) -> list[bytes]:
    """The pieces, in order.

    - whole: all at once; frames: each by itself
    - bytes: one by one; of long frames the first and the last ones only
    - early, late, mask: cut one byte before the end, one byte behind the start, and in the mask of each frame
    - random: cut anywhere
    """
    ends = list(accumulate(len(frame) for frame in frames))
    starts = [0, *ends[:-1]]
    if how == "bytes":
        cuts = {
            at
            for start, end in zip(starts, ends, strict=True)
            for at in range(start, end + 1)
            if end - start <= _LONG or at - start <= _HEAD or end - at <= _TAIL
        }
    elif how == "random":
        cuts = {dice.randrange(ends[-1] + 1) for _ in range(dice.randint(1, 40))}
    else:
        cuts = {
            "whole": set(),
            "frames": {*ends},
            "early": {end - 1 for end in ends},
            "late": {start + 1 for start in starts},
            "mask": {min(start + 5, end) for start, end in zip(starts, ends, strict=True)},
        }[how]
    stream = b"".join(frames)
    edges = sorted({0, len(stream)} | {cut for cut in cuts if 0 < cut < len(stream)})
    return [stream[start:stop] for start, stop in pairwise(edges)]
