"""What Chainlit needs from us: no foreign hosts, a guarded origin, a Stop that stops."""
