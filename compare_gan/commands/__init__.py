"""The commands of the command line and their options.

Everything heavy is imported inside a command, so that `--help` answers at once.
"""
