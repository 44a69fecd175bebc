"""Routes of the sidecar: thin, one module per kind of answer."""
