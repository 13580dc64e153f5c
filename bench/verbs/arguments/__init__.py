"""What was typed: options, the suite and the part of it, how units are trained."""
