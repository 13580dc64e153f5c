"""What leaves one machine and is believed by no other: archives, ticket files, and the checks of both. No torch."""
