"""What is expected, with its spread: demand from what was handed out, prices from what was known. Pure."""
