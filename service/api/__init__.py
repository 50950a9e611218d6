"""The door: HTTP for riders' apps, operators and machines. No rule of the business lives here; the desk decides."""
