"""The command line. ``app.py`` assembles the commands; each lives in a file of its own."""
