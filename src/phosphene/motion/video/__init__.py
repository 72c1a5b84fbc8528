"""Videos: films and folders of frames, whatever frame of them is wanted, and where scenes end.

Frames are counted from 0, are upright, 8-bit RGB, and scaled down where that is asked for, never
up.
"""

from phosphene.motion.video.listing import Videos as Videos
from phosphene.motion.video.listing import videos_of as videos_of
from phosphene.motion.video.opening import open_video as open_video
from phosphene.motion.video.source import Frame as Frame
from phosphene.motion.video.source import Video as Video

__all__ = ["Frame", "Video", "Videos", "open_video", "videos_of"]
