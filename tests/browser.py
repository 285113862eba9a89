"""A headless browser that a test drives: it opens a page, runs JavaScript in it, presses keys."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PROGRAM = next((found for name in NAMES if (found := shutil.which(name))), None)
MISSING = f"no browser: none of {', '.join(NAMES)} is installed"
PATIENCE = 120.0  # s that a page may take to say that it is there


class Browser:
    """One tab, through the DevTools protocol: JSON with a zero behind it, on two pipes."""

    def __init__(self, to: int, back: int) -> None:
        self._to, self._back, self._kept, self._number = to, back, b"", 0
        self.complaints: list[str] = []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Send a command and wait for its answer; what the page complains of meanwhile is kept."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": given}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._kept:
                if not (more := os.read(self._back, 1 << 20)):
                    raise RuntimeError("the browser has ended")
                self._kept += more
            text, _, self._kept = self._kept.partition(b"\0")
            answer = json.loads(text)
            if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded"):
                self.complaints.append(json.dumps(answer["params"])[:500])
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def run(self, script: str) -> Any:
        """Evaluate JavaScript, wait for what it promises, and give that."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:1000])
        return answer["result"].get("value")

    def open(self, url: str, until: str) -> None:
        """Open a page and wait until an expression is true in it."""
        self.call("Page.navigate", url=url)
        end = time.monotonic() + PATIENCE
        while not self.run(until):
            if time.monotonic() > end:
                raise RuntimeError(f"{url} never had {until}: {self.complaints}")
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key where the focus is."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def names(self, role: str) -> list[str]:
        """Give the names that a screen reader says of everything that has a role."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [n.get("name", {}).get("value", "") for n in nodes if n.get("role", {}).get("value") == role]

    def picture(self, path: Path) -> None:
        """Write what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextlib.contextmanager
def browsing(profile: Path) -> Generator[Browser, None, None]:
    """Give a browser that has no network."""
    theirs_in, to = os.pipe()
    back, theirs_out = os.pipe()
    # The browser reads commands on 3 and answers on 4. The pipes are there only after the new process has begun, since
    # this one may have other files at these numbers; copies are high enough to be none of the four.
    begin = (
        "import fcntl, os, sys; a, b = (fcntl.fcntl(int(k), fcntl.F_DUPFD, 10) for k in sys.argv[1:3]); "
        "os.dup2(a, 3); os.dup2(b, 4); os.execv(sys.argv[3], sys.argv[3:])"
    )
    command = [
        sys.executable, "-I", "-S", "-c", begin, str(theirs_in), str(theirs_out), str(PROGRAM), "--headless",
        "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={profile}", "--window-size=1280,900",
    ]  # fmt: skip
    process = subprocess.Popen(command, pass_fds=(theirs_in, theirs_out), stderr=subprocess.DEVNULL)
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(to, back)
    finally:
        process.terminate()
        process.wait()
        os.close(to)
        os.close(back)
