"""Client and supervisor of the renderer process."""
