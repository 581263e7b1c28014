"""The whole job in one command, each step through the door that a user would take."""
