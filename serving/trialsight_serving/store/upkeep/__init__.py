"""What a service does so that its store stays as it should for years: room, order, copies."""
