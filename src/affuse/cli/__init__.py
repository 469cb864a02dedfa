"""The command line: one small module per verb that parses, calls the package and prints."""
