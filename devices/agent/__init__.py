"""The station's own mind: what it refuses, measures, charges, swaps and answers."""
