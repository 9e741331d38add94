"""The program that runs in every box, and how the harness speaks with it."""
