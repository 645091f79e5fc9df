"""Find a Chromium for the browser tests, or install one; prints its path.

Order: the one that ``COHORT_STUDIO_CHROMIUM`` names, one on PATH, Playwright's own, Debian's package.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """Path of a Chromium that is already here."""
    named = os.environ.get("COHORT_STUDIO_CHROMIUM")
    if named and Path(named).exists():
        return named
    for name in NAMES:
        if found := shutil.which(name):
            return found
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def install() -> None:
    """Try the distribution's package, then Playwright's download."""
    if shutil.which("apt-get"):
        root = [] if os.geteuid() == 0 else ["sudo", "-n"]
        steps = [
            [*root, "apt-get", "update", "-qq"],
            [*root, "apt-get", "install", "-y", "-qq", "chromium", "fonts-dejavu"],
        ]
        if all(subprocess.run(step, check=False, stdout=subprocess.DEVNULL).returncode == 0 for step in steps):
            return
    subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


if __name__ == "__main__":
    if find() is None:
        install()
    print(find() or "no Chromium could be installed: the browser tests will be skipped")
