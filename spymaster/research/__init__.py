"""What many setups tell together: similar moments of earlier sessions."""
