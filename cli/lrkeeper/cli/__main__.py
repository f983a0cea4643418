"""`python -m lrkeeper.cli`."""

from lrkeeper.cli import main

main()
