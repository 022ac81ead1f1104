"""The lesson as one HTML page: no kernel, no installation, no network.

All that the first picture can show is computed when the page is written, by `sweep` and `replay` from real recordings.
Picture and words are those of `MomentumExplorer`; the script only selects and draws. In one section, `whose`, the page
computes for itself: the network and the held-out images are in it, and its script does what Python does.
"""

from bn_teach._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "write": ("write_page",),
    },
)
