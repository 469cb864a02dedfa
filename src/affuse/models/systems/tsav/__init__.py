"""TSAV: Kuhnke, Rumberg and Ostermann, FG 2020."""
