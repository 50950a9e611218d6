"""What is true now: rows of the store as the fleet values that forecast and planning read."""
