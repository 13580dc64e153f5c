"""The machinery that turns a suite into records: plan, store, drive, launch. Imports no torch."""
