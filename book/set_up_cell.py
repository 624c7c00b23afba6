import os, pathlib, subprocess, sys

REPOSITORY = "https://github.com/OWNER/deep-learning-mnist-audio"
here = pathlib.Path.cwd()
around = [here, *here.parents]


def is_course(folder):
    parts = ("utils/runtime.py", "widgets/base.py")
    return all(os.path.isfile(folder / part) for part in parts)


course = next(filter(is_course, [*around, *sorted(here.glob("*"))]), None)
if course is None:
    course = here / "deep-learning-mnist-audio"
    try:
        subprocess.run(
            ["git", "clone", "--depth", "1", REPOSITORY, str(course)],
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "git cannot be started")
        reason = said.split("fatal: ")[-1].strip()
        raise SystemExit(
            f"The course is not in {here}, above it or in a folder of it, and "
            f"could not be fetched ({reason}). Download it from {REPOSITORY}, "
            "unpack it here, and run this cell again."
        ) from None
for name in [n for n in sys.modules if n.split(".")[0] in ("utils", "widgets")]:
    file = getattr(sys.modules[name], "__file__", None) or "/"
    ours = course.resolve() / name.split(".")[0]
    if ours not in pathlib.Path(file).resolve().parents:
        del sys.modules[name]  # another package of this name
sys.path.insert(0, str(course))
from utils import runtime

if course in around:
    print(runtime.versions())
else:
    print("installed:", runtime.install_missing())
