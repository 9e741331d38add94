"""One module per way to box a workload, behind one Protocol, found in one literal table."""
