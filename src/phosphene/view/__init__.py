"""Drawing: any `Panel` as a picture or as a page, without knowing where it came from; movies."""

from phosphene.view.movie import save_movie as save_movie
from phosphene.view.output import clear as clear
from phosphene.view.output import save as save
from phosphene.view.page import fragment as fragment
from phosphene.view.page import page as page
from phosphene.view.picture import draw as draw
from phosphene.view.picture import png as png

__all__ = ["clear", "draw", "fragment", "page", "png", "save", "save_movie"]
