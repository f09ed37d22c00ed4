"""A local cluster: a real control plane and AWS stand-ins, for the demo, the tests and the benchmarks."""
