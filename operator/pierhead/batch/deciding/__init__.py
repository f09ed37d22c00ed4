"""What a decision about a BatchJob is made from, and its parts. Pure."""
