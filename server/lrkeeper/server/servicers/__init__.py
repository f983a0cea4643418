"""The gRPC side: decode, call the use case, encode."""
