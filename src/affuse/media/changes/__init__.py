"""Recordings changed as people meet them, before streams are made of them."""
