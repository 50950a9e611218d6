"""The operators' console: one live page, a process of its own; reads tables, acts through the public API only."""
