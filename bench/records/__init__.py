"""What is stored: campaign directories, manifests, and one record per trial."""
