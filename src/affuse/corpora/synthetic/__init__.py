"""Synthetic look-alikes of corpora, in their publishers' layouts, from a seed."""
