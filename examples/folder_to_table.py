"""All recordings of a folder in one table: folder_to_table.py FOLDER TABLE.csv."""

import sys

import affuse

folder, table = sys.argv[1:]
with affuse.progress_bars():
    found = affuse.predict(folder)
for name, error in found.failures.items():
    print(f"{name}: {error.reason}", file=sys.stderr)
rows = found.to_pandas()
rows.to_csv(table, index=False)
means = rows.groupby("recording")[found[next(iter(found))].classes].mean()
print(means.round(2).to_string())
