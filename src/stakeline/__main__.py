"""`python -m stakeline` is the `stakeline` command."""

from stakeline.cli.commands import main

main()
