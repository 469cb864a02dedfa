"""Recursive joint attention: Praveen, Granger and Cardinal, ICASSP 2023."""
