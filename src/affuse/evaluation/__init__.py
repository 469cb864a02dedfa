"""6. Judge: conditions, scores with intervals, reports."""
