"""Applications of other tools, as the AppReleases that equal them."""
