"""The OpenAPI document: complete enough to write a client from, and to test the service with."""
