"""The gate out: queued orders become wire commands and are published to their stations."""
