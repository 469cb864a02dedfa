"""The table of a paper: rows are recipes or results, columns metrics under conditions."""
