"""Work that takes minutes and must not disturb the line: queued in the database, done by `trialsight worker`."""
