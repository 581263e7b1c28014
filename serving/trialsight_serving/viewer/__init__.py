"""The viewer: server-rendered pages, vanilla ES modules, no build step and nothing from outside."""
