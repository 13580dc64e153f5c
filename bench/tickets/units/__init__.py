"""Units of a store: trained, measured again, read and written. Workers import this room."""
