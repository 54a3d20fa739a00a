"""MCP without I/O: JSON-RPC envelopes and the shapes of tools and results."""
