"""Statistics, folds and regression heads: arrays in, numbers and fitted heads out; no files, no tables, no plugins."""
