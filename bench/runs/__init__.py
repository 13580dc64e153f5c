"""The machinery that turns a suite into records: plan, frontier, drive, launch. Imports no torch."""
