"""AWS on one loopback port: moto's services, a Batch of our own, and a door for tests.

Invariant: importing this package imports neither moto nor boto3, so that a test that only talks to a
running stand-in (`control.AwsControl`) stays light.
"""
