"""Object stores and plain HTTP behind one protocol; the only place that imports obstore."""
