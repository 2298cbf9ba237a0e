"""Projects and API keys: stored in SQL, followed in memory, asked by every request."""
