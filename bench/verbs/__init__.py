"""What the verbs of the command line do. Torch is imported by workers only, matplotlib by figures only."""
