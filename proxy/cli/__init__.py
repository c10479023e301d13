"""The `promptshield` command: one module per subcommand."""
