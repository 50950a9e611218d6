"""The simulated world without a service: rules, forecast and planner in this process, against the simplest plant."""
