"""Is a package, or a running server, ready for others? One gate after the other tells."""
