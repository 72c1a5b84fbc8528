"""What pairs are built, and how."""

from __future__ import annotations

from dataclasses import dataclass

from phosphene.errors import SettingError


@dataclass(frozen=True)
class Settings:
    """How videos become pairs; all that the bytes of the result depend on but the videos.

    Attributes:
        pairs: How many of each video.
        gap: How many frames lie from the first frame of a pair to the second.
        first: Whether the one pair that begins with a video's first frame is taken, in place of
            random ones.
        short_side: Length in pixels that the shorter side of frames is scaled down to; `None` for
            frames as they are. No frame is enlarged.
        quality: Of the JPEGs, 1 to 100.
        lossless: Whether frames become PNGs in place of JPEGs.
        second: Whether the second frame is kept as well.
        cuts: Whether pairs across the end of a scene are taken too.
        estimator: What estimates the flow, as `open_estimator` names it.
        seed: Of the random frames.

    Raises:
        SettingError: A number cannot be.
    """

    pairs: int = 8
    gap: int = 5
    first: bool = False
    short_side: int | None = 240
    quality: int = 95
    lossless: bool = False
    second: bool = False
    cuts: bool = False
    estimator: str = "dis:medium"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise SettingError(f"{self.pairs} pairs a video cannot be built: give 1 or more")
        if self.gap < 1:
            raise SettingError(f"a gap of {self.gap} frames is none: give 1 or more")
        if self.short_side is not None and self.short_side < 16:
            raise SettingError(
                f"frames with a shorter side of {self.short_side} pixels show nothing: give 16 or "
                "more"
            )
        if not 1 <= self.quality <= 100:
            raise SettingError(f"a JPEG has no quality {self.quality}: give 1 to 100")
        if self.first and self.pairs != 1:
            raise SettingError(
                f"a video has one first frame, and {self.pairs} pairs were asked for: give pairs=1"
            )
