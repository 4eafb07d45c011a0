"""The command line: `python -m atoll COMMAND`."""

from atoll.cli import main

if __name__ == "__main__":
    main()
