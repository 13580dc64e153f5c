"""What people read: statistics, tables and plots of records. Imports no torch."""
