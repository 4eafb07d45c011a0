"""A team: several processes that live one island, each scoring shares of its generations."""
