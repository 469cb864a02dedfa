"""Labelled segments, and the files of the programs that people code behaviour with."""
