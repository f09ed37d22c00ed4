"""The demo: three custom resources become Ready on a real control plane, and what they made is checked."""
