"""The folder layouts that can be read, each a module with `detect`, `read` and `LOOKS_LIKE`."""
