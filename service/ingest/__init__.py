"""The gate in: what stations say over MQTT becomes rows, exactly once, and is acknowledged after COMMIT."""
