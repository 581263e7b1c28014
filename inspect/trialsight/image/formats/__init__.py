"""One file a format, each with `read_size` (from the header alone) and `check_whole` (nothing is missing).

Decoders are kind: they fill what is missing with gray or black and say so on stderr at most. A line can't use such
kindness, so `check_whole` walks each format's own bookkeeping first and refuses what a decoder would make up.
"""
