"""Store and forward over MQTT: the outbox on disk, the order of sending, one session. What is said lives above."""
