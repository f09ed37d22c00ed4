"""From the values that were read to those that are written, by templates of the author's."""
