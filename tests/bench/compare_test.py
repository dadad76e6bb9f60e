"""bench/compare on pairs of stored runs: python3 compare_test.py PATH_OF_COMPARE"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

COMPARE = sys.argv.pop()


def stored(peak=100, **speeds):
    return {"format": 1, "fp32_peak_gflops": peak, "steps_per_second": speeds, "skipped": {}}


class Compare(unittest.TestCase):
    def compare(self, old, new, *options):
        with tempfile.TemporaryDirectory() as folder:
            paths = [os.path.join(folder, name) for name in ("old.json", "new.json")]
            for path, content in zip(paths, (old, new)):
                with open(path, "w") as out:
                    out.write(content if isinstance(content, str) else json.dumps(content))
            return subprocess.run([sys.executable, COMPARE, *paths, *options], capture_output=True, text=True)

    def test_the_same_speed_passes(self):
        self.assertEqual(self.compare(stored(a=10, b=3), stored(a=10, b=3)).returncode, 0)

    def test_the_tolerance_decides(self):
        old, new = stored(a=100, b=100), stored(a=100, b=85)
        done = self.compare(old, new)
        self.assertEqual(done.returncode, 1)
        marked = [line.split()[0] for line in done.stdout.splitlines() if line.endswith("SLOWER")]
        self.assertEqual(marked, ["b"])
        self.assertEqual(self.compare(old, new, "--tolerance", "20").returncode, 0)
        self.assertEqual(self.compare(old, stored(a=100, b=91)).returncode, 0)

    def test_speeds_are_shares_of_the_peak(self):
        self.assertEqual(self.compare(stored(100, a=10), stored(50, a=5)).returncode, 0)
        self.assertEqual(self.compare(stored(100, a=10), stored(200, a=10)).returncode, 1)

    def test_cells_of_one_side_are_named_and_do_not_count(self):
        done = self.compare(stored(a=1, gone=5), stored(a=1, fresh=5))
        self.assertEqual(done.returncode, 0)
        self.assertIn("only in the old: gone", done.stdout)
        self.assertIn("only in the new: fresh", done.stdout)

    def test_only_some_cells(self):
        self.assertEqual(self.compare(stored(a=2, b=2), stored(a=2, b=1), "--only", "a").returncode, 0)

    def test_what_cannot_be_compared_is_an_error(self):
        for bad in ("{", "[]", "{}", stored(0, a=1), stored(1, a=0), stored(1, b=1), dict(stored(a=1), format=2)):
            done = self.compare(stored(a=1), bad)
            self.assertEqual(done.returncode, 2, bad)
            self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    unittest.main()
