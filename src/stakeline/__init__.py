"""Stakeline takes bets on events at fixed decimal odds and settles each exactly once."""
