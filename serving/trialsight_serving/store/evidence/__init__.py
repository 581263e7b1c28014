"""What speaks for or against a model: scores, shadows, escapes, and what went live because of them."""
