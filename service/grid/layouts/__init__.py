"""The layouts of other people's files, one module per family. Each says how it is recognised by its content."""
