"""5. Learn: recipes, data, modality dropout, folds."""
