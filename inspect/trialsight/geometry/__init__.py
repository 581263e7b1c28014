"""Where things are: shapes in the frame, pixels to millimetres, and undoing a shifted part."""
