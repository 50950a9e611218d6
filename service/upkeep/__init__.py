"""What keeps the database healthy: partitions, retention, audit."""
