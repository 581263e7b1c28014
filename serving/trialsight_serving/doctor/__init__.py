"""`trialsight doctor`: looks at a home and all that its service needs, changes nothing, says what to do."""
