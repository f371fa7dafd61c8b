"""``python -m cnntrain`` is the command ``cnntrain``."""

from cnntrain.cli.app import main

if __name__ == "__main__":
    main()
