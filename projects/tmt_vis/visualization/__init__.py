"""Pictures and videos of tracks, and plots of training. RGB throughout."""

from .contact_sheet import SheetVideo, contact_sheet, write_image
from .draw import TrackLabel, draw_legend, draw_tracks, draw_video
from .palette import track_color
from .plots import plot_ap, plot_losses, plot_taxonomy
from .scalars import read_scalars, smooth
from .video_writer import write_video

__all__ = [
    "SheetVideo",
    "TrackLabel",
    "contact_sheet",
    "draw_legend",
    "draw_tracks",
    "draw_video",
    "plot_ap",
    "plot_losses",
    "plot_taxonomy",
    "read_scalars",
    "smooth",
    "track_color",
    "write_image",
    "write_video",
]
