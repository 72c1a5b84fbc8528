"""Weights from elsewhere: networks in the files of other frameworks, opened as modules."""

from __future__ import annotations
