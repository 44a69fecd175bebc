"""The assets, one module per layer. All assets and asset specs of a module here become part of the definitions."""
