"""What a stranger with a socket may try: raw requests, frames, and attacks by the list."""
