import subprocess

import places
from sitelib import check, finish

folder = places.PROGRAMS / "subsystems" / "pipeline"
text = (folder / "pipeline.toml").read_text()
(folder / "filter-user.toml").write_text(text.replace('"supervisor"', '"user"', 1))
for name in ("pipeline", "pipeline-user", "filter-user"):
    done = subprocess.run([str(places.CHORUS), "boot", str(folder / (name + ".toml"))], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=100)
    check(name, done.returncode == 0 and done.stdout == "200 samples, 0 wrong\n",
          (done.returncode, done.stdout, done.stderr))
finish()
