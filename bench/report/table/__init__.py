"""The uniform table: arms brought together, rows, compact cells, notes, and every style of text."""
