"""Corpora from their official places: one manifest (YAML) per corpus."""
