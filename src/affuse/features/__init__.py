"""3. Recording to streams: extractors, the store, `prepare`, batches."""
