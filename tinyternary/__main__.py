"""``python -m tinyternary`` is the command ``tinyternary``."""

from tinyternary.cli import main

if __name__ == "__main__":
    main()
