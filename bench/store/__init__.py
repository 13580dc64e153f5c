"""Where finished units are kept: files, attempts that become results by one rename, checks. Imports no torch."""
