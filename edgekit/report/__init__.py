"""Run documents become pages: HTML, Markdown, JSON and table rows. Pure: text in memory, no file, no clock."""

from edgekit.report._gpu import TITLE as GPU_TITLE
from edgekit.report._mcu import TITLE as MCU_TITLE
from edgekit.report._model import build_page
from edgekit.report._npu import TITLE as NPU_TITLE
from edgekit.report._page import ReportPage

__all__ = ["GPU_TITLE", "MCU_TITLE", "NPU_TITLE", "ReportPage", "build_page"]
