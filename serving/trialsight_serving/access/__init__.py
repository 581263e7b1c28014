"""Who may do what: keys, roles, browser sessions, and the checks at the door."""
