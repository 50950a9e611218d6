"""What stands at a station: the wire, the link, the hardware ports and the agent. Imports nothing else of ours."""
