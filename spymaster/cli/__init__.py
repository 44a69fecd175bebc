"""The command line `spymaster`: one module per command group, lazy imports so that `--help` is instant."""
