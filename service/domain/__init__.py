"""The rules, pure: no clock, no IO, no framework but pydantic for values that are stored."""
