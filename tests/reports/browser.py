"""A page in headless Chromium: what it logs, what it drew, clicks and screenshots, over the DevTools pipe.

Chromium reads commands as JSON from file descriptor 3 and writes answers to 4, each ended by a zero byte, so that no
package, port or driver is needed. As a script: `python browser.py PAGE.html FOLDER` writes screenshots and exits with 1
when the page logged an error.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATIENCE = 60.0  # seconds for any answer


def chromium() -> str | None:
    """The path of an installed Chromium."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """An open page. `problems`: console errors, exceptions, failed requests, in the order in which they came."""

    def __init__(self, send_end: int, receive_end: int) -> None:
        self.send_end, self.receive_end = send_end, receive_end
        self.buffer, self.number, self.session = b"", 0, None
        self.problems: list[str] = []
        self.requests: list[str] = []

    def call(self, method: str, **arguments):
        """The answer to one command."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": arguments}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.send_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._note(answer)

    def _receive(self):
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            if not select.select([self.receive_end], [], [], max(end - time.monotonic(), 0))[0]:
                raise RuntimeError("Chromium does not answer")
            part = os.read(self.receive_end, 1 << 20)
            if not part:
                raise RuntimeError("Chromium ended")
            self.buffer += part
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, event) -> None:
        kind, about = event.get("method"), event.get("params", {})
        if kind == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.problems.append(details.get("exception", {}).get("description") or details["text"])
        elif kind == "Runtime.consoleAPICalled" and about["type"] in ("error", "assert", "warning"):
            self.problems.append(" ".join(str(a.get("value", a.get("description"))) for a in about["args"]))
        elif kind == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.problems.append(about["entry"]["text"])
        elif kind == "Network.loadingFailed":
            self.problems.append(f"request failed: {about['errorText']}")
        elif kind == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def open(self, path: Path, width: int, height: int, dark: bool) -> None:
        """Load a file and wait until it says that it is ready."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.look(width, height, dark)
        answer = self.call("Page.navigate", url=path.resolve().as_uri())
        if "errorText" in answer:
            raise RuntimeError(f"{path}: {answer['errorText']}")
        self.wait("document.documentElement?.dataset.ready === 'yes'")

    def wait(self, condition: str) -> None:
        """Until a JavaScript condition holds."""
        end = time.monotonic() + PATIENCE
        while not self.evaluate(condition):
            if time.monotonic() > end:
                raise RuntimeError(f"never true: {condition}; problems: {self.problems}")
            time.sleep(0.05)

    def evaluate(self, expression: str):
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']['exception']['description']}")
        return answer["result"].get("value")

    def look(self, width: int, height: int, dark: bool = False, printed: bool = False) -> None:
        """The window's size and the reader's colours."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print" if printed else "screen", features=[scheme])

    def screenshot(self, path: Path, whole: bool = True) -> None:
        """A PNG file of the page, or of what the window shows."""
        clip = {}
        if whole:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"clip": {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole, **clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self, process: subprocess.Popen) -> None:
        """End the browser, by force where it does not answer."""
        self.session = None
        with contextlib.suppress(RuntimeError, OSError):
            self.call("Browser.close")
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def pdf(self, path: Path) -> None:
        """The page on paper."""
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", printBackground=True)["data"]))


@contextlib.contextmanager
def opened(path: Path, width: int = 1400, height: int = 900, dark: bool = False):
    """A page of a file in a Chromium of its own."""
    command_out, command_in = os.pipe()
    answer_out, answer_in = os.pipe()

    def place_pipes() -> None:
        first, second = os.dup(command_out), os.dup(answer_in)
        os.dup2(first, 3)
        os.dup2(second, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium(), "--headless=new", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
        command += ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars"]
        command += ["--disable-background-networking", "--disable-component-update", "about:blank"]
        process = subprocess.Popen(
            command,
            preexec_fn=place_pipes,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_out)
        os.close(answer_in)
        page = Page(command_in, answer_out)
        try:
            page.open(path, width, height, dark)
            yield page
        finally:
            page.close(process)
            os.close(command_in)
            os.close(answer_out)


def main(source: str, folder: str) -> int:
    """Screenshots at two widths, light and dark, and the page on paper."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with opened(Path(source)) as page:
        for width in (1400, 800):
            for dark in (False, True):
                page.look(width, 900, dark)
                time.sleep(1.5)
                page.screenshot(target / f"{width}{'_dark' if dark else ''}.png")
        page.pdf(target / "paper.pdf")
        for problem in page.problems:
            print(problem)  # noqa: T201
        return int(bool(page.problems))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
