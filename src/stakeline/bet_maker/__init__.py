"""bet-maker takes bets on the line from its users and shows their fate."""
