"""Test results in TAP, for scripts that prove runs.

    tap = Tap()
    tap.ok(condition, "what is true", "detail when it is not")
    tap.eq(got, wanted, "what is equal")

    @tap.part
    def something():      # an exception in it is one failed test, not the end
        ...

    tap.done()            # the plan; ends the script

Any thread may report.
"""

import sys
import threading
import traceback


class Tap:
    def __init__(self):
        self.count = 0
        self.failed = 0
        self.lock = threading.Lock()

    def note(self, text):
        with self.lock:
            for line in str(text).splitlines():
                print("#", line, flush=True)

    def ok(self, condition, name, detail=""):
        with self.lock:
            self.count += 1
            self.failed += not condition
            print("ok" if condition else "not ok", self.count, "-", name.replace("#", "\\#"), flush=True)
            if not condition:  # on stderr, which prove lets through
                print("# failed:", name, file=sys.stderr)
                for line in str(detail).splitlines():
                    print("#    ", line, file=sys.stderr, flush=True)
        return bool(condition)

    def eq(self, got, wanted, name):
        return self.ok(got == wanted, name, f"got    {got!r}\nwanted {wanted!r}")

    def matches(self, pattern, text, name):
        """pattern: a compiled expression."""
        return self.ok(pattern.search(text), name, f"got    {text!r}\nwanted {pattern.pattern}")

    def part(self, function):
        """Runs the function at once. Its own failures do not stop the script."""
        try:
            function()
        except Exception:  # pylint: disable=broad-except
            self.ok(False, f"{function.__name__} runs to its end", traceback.format_exc())
        return function

    def done(self):
        print(f"1..{self.count}", flush=True)
        sys.exit(1 if self.failed or not self.count else 0)
