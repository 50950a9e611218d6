"""How packs and grid connections really behave. Knows neither the service nor the devices: truth is not taught by belief."""
