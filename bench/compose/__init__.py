"""One service of a compose file as the workload of a scenario."""
