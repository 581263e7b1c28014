"""What people decide about parts, draw on them and call what they see."""
