"""What goes into a render beside its sources."""
