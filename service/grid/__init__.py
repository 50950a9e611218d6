"""Signals of the power grid and its markets: importers and what stands in for them. Each value carries source and known_at."""
