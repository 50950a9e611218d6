"""The load generator: thousands of stations spoken by hand over a few connections, a journal of what was said, and its audit."""
