"""Docker Engine, containerd, podman and libvirt. One that runs is used; otherwise a private one starts and stops."""
