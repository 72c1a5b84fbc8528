"""How data sets lay out their files.

Every layout is a function from a folder and options to the files of its pairs (`Listing`), and what
was left out.
"""

from phosphene.motion.dataset.layouts.listing import Listing as Listing
from phosphene.motion.dataset.layouts.listing import Options as Options

__all__ = ["Listing", "Options"]
