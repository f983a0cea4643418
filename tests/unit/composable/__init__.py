"""The composable kinds."""
