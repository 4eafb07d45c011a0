"""The command line: Click alone, a file a group of commands."""
