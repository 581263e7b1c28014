"""Other projects, each in an environment of its own, doing the same work in the same run."""
