"""From the lines of a spec to values: what is asked of AWS, and what its answers hold."""
