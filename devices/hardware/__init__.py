"""What a station controller can do with its cabinet: small ports, and a bench driver to try an agent without hardware."""
