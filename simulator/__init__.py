"""The simulated world: true physics, cabinets, riders. It drives the real station agents; nobody imports it."""
