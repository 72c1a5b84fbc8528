"""Pairs in tar shards, as webdataset lays them out, with an index beside each.

A shard `pairs-000012.tar` holds of every pair, under a name of its own (its key)

- `KEY.jpg` or `KEY.png`: the frame;
- `KEY.flow.png`: the flow to the later frame, as KITTI stores it, 16 bits a component;
- `KEY.json`: facts: the video, the numbers of the frames and their times, the size they had;
- `KEY.second.jpg` or `KEY.second.png`: the later frame, where it was kept.

`pairs-000012.json` beside it says where in the shard each of them begins and how long it is, so
that any pair is two reads away, and which videos gave none.
"""

from phosphene.motion.shards.index import ShardIndex as ShardIndex
from phosphene.motion.shards.keys import Keys as Keys
from phosphene.motion.shards.listing import shards_of as shards_of
from phosphene.motion.shards.writing import ShardWriter as ShardWriter
from phosphene.motion.shards.writing import writing as writing

__all__ = ["Keys", "ShardIndex", "ShardWriter", "shards_of", "writing"]
