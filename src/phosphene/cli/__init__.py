"""The command line: one file per verb, which imports the library only when the verb runs."""
