"""Where work runs: shards, threads, memory."""
