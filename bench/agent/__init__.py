"""The agent: the C program that runs in every box, its configuration, its protocol and its channel to the host."""
