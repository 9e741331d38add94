"""Published measurements of starts and memory on other hosts: figures with their sources, read from one file."""
