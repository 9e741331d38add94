"""Fleets: invocations of functions on many hosts, with warm boxes, cold starts that contend, failures and scaling."""
