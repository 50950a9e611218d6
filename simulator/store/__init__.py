"""Where the world is kept between two runs: one SQLite file."""
