"""What `with_trl` holds runs where TRL and PyTorch are, and is not collected here."""

collect_ignore = ["with_trl"]
