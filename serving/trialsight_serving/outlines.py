"""Outlines of regions for a thumbnail: SVG path data that is short to send."""

from typing import Any

MOST, POINTS = 6, 24  # more would be neither seen nor worth the bytes


def outlines(regions: list[dict[str, Any]], size_px: tuple[int, int]) -> list[str]:
    """SVG path data of the strongest regions, in thousandths of the longer side."""
    unit = 1000 / max(size_px)
    paths = []
    for region in regions[:MOST]:
        points = region["contour"]
        points = points[:: max(1, len(points) // POINTS)]
        paths.append("M" + "L".join(f"{x * unit:.0f} {y * unit:.0f}" for x, y in points) + "Z")
    return paths
