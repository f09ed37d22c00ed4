"""pierhead: applications, secrets and batch work as custom resources, kept true on EKS."""

__version__ = "0.1.0"
