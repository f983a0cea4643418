"""The torch side: schedulers whose values come from a run."""

from lrkeeper.errors import MissingExtra

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise MissingExtra("this part of lrkeeper needs torch: pip install 'lrkeeper[torch]'") from None
