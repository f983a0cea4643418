"""What the server does: one module for each call, transactions around the pure rules."""
