"""The lrkeeper server."""
