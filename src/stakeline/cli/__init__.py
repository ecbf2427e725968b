"""The command line: up, line-provider, bet-maker, import, replay."""
