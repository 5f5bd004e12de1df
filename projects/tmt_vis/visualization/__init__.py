"""Pictures and videos of tracks, and plots of training. RGB throughout."""

from .analysis_plots import ComparedCategory, plot_comparison, plot_confusion
from .clip_visualization_hook import ClipVisualizationHook
from .compilation_plots import CompiledDataset, plot_compilation
from .contact_sheet import SheetVideo, contact_sheet, is_own_picture, write_image
from .draw import TrackLabel, draw_legend, draw_tracks, draw_video
from .html_sheet import HtmlVideo, write_html_sheet
from .palette import track_color
from .plots import plot_ap, plot_losses, plot_taxonomy
from .scalars import read_scalars, smooth
from .thumbnails import thumbnail
from .video_writer import (
    VIDEO_SUFFIXES,
    WrittenVideo,
    is_video_name,
    write_video,
)

__all__ = [
    "VIDEO_SUFFIXES",
    "WrittenVideo",
    "ClipVisualizationHook",
    "ComparedCategory",
    "CompiledDataset",
    "HtmlVideo",
    "SheetVideo",
    "TrackLabel",
    "contact_sheet",
    "draw_legend",
    "draw_tracks",
    "draw_video",
    "is_own_picture",
    "is_video_name",
    "plot_ap",
    "plot_comparison",
    "plot_compilation",
    "plot_confusion",
    "plot_losses",
    "plot_taxonomy",
    "read_scalars",
    "smooth",
    "thumbnail",
    "track_color",
    "write_html_sheet",
    "write_image",
    "write_video",
]
