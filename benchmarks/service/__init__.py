"""The service under load: what HTTP and durability add to an inspection, and what happens when too much comes."""
