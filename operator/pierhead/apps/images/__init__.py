"""Images that follow their repositories."""
