"""The camera agent: frames from a folder or a named source, posted to a line."""
