"""AWS Batch, played: validations, states, arrays, retries, dependencies and events, on an own clock.

Invariant: nothing here knows HTTP but `api`, and nothing but `events` and `logs` knows moto. One lock (the
world's) guards everything; a job's 10,000 children are a few flat arrays.
"""
