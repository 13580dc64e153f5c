"""`python -m bench` is the command `ticketbench`."""

from bench.cli import main

if __name__ == "__main__":
    main()
