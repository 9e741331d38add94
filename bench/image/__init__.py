"""From a Dockerfile to one root file system for every target: image, exported tree, directory, disk, guest kernel."""
