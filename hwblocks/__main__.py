"""`python -m hwblocks`: the command line."""

from hwblocks.cli import main

if __name__ == "__main__":
    main()
