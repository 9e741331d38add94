"""One root file system for every target: build, export, disk, guest kernel, agent."""
