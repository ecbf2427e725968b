"""line-provider owns the line: events, their coefficient, deadline and result."""
