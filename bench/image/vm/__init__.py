"""Kernels, initial file systems and disks of virtual machines."""
