"""``python -m remora`` is the program ``remora``."""

from remora.cli.main import main

if __name__ == "__main__":
    main()
