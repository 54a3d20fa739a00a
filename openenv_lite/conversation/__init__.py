"""What MCP clients say to environments: sessions, calls under way, and the messages between."""
