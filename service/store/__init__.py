"""The only SQL and the only asyncpg: migrations, the pool, named statements, one module per table family."""
