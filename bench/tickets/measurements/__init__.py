"""What is measured of finished trainings beside their curves."""
