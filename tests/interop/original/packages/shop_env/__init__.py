"""A shop, as a package of OpenEnv's: tools on a FastMCP server, and steps that reward."""
