"""Line charts as SVG: text in, text out, the same each time."""
