"""The allocation engine: a frozen problem in, a plan with a bound out. Pure; the model is written down in README.md."""
