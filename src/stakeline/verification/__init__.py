"""Proving what is in the databases, by rules and SQL that share nothing with what wrote it.

The services' modules are the subject here, so none of them is used: what an event's item says, when
betting closed and what a bet pays is worked out anew. The one exception is the rule by which
bet-maker shows a bet's fate (`bet_maker.bets`), which is what the result is compared with.
"""
