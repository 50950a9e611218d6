"""Stations and who may say what: credentials, broker access rules (one source, rendered per broker), signing keys, tokens."""
