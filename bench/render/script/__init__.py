"""What the script of a page works with: its data, its text and the policy that lets it run."""
