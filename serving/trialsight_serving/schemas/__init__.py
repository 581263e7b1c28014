"""What the API takes and gives: one module an area, as `routes` has them."""
