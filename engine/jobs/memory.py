"""The memory that one job needed, in a process that has done others before."""

import sys
from pathlib import Path

_CLEAR = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def reset_peak() -> None:
    """Start measuring anew, where the system can (Linux); elsewhere the peak is that of the whole process."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return


def peak_megabytes() -> float:
    """Largest resident memory since ``reset_peak``, in MiB (psutil's figure of the process where Linux's is absent)."""
    if _STATUS.exists():
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 1024, 1)
    import psutil

    memory = psutil.Process().memory_info()
    if sys.platform == "win32":
        return round(memory.peak_wset / 2**20, 1)
    return round(memory.rss / 2**20, 1)
