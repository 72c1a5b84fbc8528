"""Sets of worlds on disk, in the layout of MPI-Sintel.

```text
DIR/world.json                                  what was made, from which seed, by which version
DIR/clean/SEQUENCE/frame_0001.png               frames, 8-bit RGB
DIR/flow/SEQUENCE/frame_0001.flo                flow to the next frame, float32; none of the last
DIR/occlusions/SEQUENCE/frame_0001.png          255 where not seen in the next; none of the last
DIR/objects/SEQUENCE/frame_0001.png             number of the object, with a palette to see it by
DIR/parts/SEQUENCE/frame_0001.png               number of the part, likewise
```

A sequence is written beside its place and put there when it is whole, so that whatever ends the
work, the same call goes on where it stopped. A set holds neither times nor names of machines: the
same call gives the same bytes, whatever the number of processes.

Reference:
    D. Butler, J. Wulff, G. Stanley and M. Black, *A Naturalistic Open Source Movie for Optical Flow
    Evaluation*, ECCV 2012, whose layout has no `objects` and `parts`.
"""

from phosphene.motion.sets.reading import SetSequence as SetSequence
from phosphene.motion.sets.reading import WorldSet as WorldSet
from phosphene.motion.sets.reading import read_set as read_set
from phosphene.motion.sets.writing import SetPlan as SetPlan
from phosphene.motion.sets.writing import write_set as write_set

__all__ = ["SetPlan", "SetSequence", "WorldSet", "read_set", "write_set"]
