"""AppRelease: charts and overlays, applied, watched and rolled back."""
