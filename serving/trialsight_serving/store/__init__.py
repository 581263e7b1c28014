"""What was answered is never lost: files first, then one transaction, then the reply."""
