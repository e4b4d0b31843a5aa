"""``python -m rawseg``: the command line."""

from .cli import main

main()
