"""What runs in the data centre. Knows of devices only their wire, and only through its gates."""
