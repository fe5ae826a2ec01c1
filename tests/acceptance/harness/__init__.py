"""What the acceptance tests stand on: PostgreSQL, the real server, curl, other people's tools."""
