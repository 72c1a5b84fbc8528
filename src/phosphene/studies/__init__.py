"""Experiments of the papers, each rerunnable on any network and any photographs.

A study takes a `Plan` and ends in `Findings`: tables, plots, pictures and all its numbers. What
takes long is kept in a `Ledger`, so that an interrupted study goes on where it stopped.
`registry.STUDIES` lists them.
"""
