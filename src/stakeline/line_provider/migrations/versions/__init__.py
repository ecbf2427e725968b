"""line-provider's migrations, in order; CONTRIBUTING.md says how another is added."""
