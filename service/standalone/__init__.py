"""One machine: embedded database and broker, every role a child process, the simulated fleet beside them."""
