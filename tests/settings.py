"""The site's settings for tests: a home of their own, cheap passwords, no broker that someone may be using.

Set before `listening.site.settings` is read, because databases and paths follow from EARSHOT_HOME.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

HOME_OF_TESTS = tempfile.mkdtemp(prefix="earshot-tests-")
atexit.register(shutil.rmtree, HOME_OF_TESTS, ignore_errors=True)
os.environ["EARSHOT_HOME"] = HOME_OF_TESTS
# Processes of pytest-xdist inherit what the first of them set.
for _name in ("REDIS_URL", "SITE_URL", "PORT", "MEDIA_S3_BUCKET", "PROMETHEUS_MULTIPROC_DIR"):
    os.environ.pop(_name, None)

from listening.site.settings import *  # noqa: E402, F403

STATIC_ROOT.mkdir(parents=True, exist_ok=True)  # noqa: F405  (WhiteNoise warns where it is missing)
# Orders, noise floors and blind names follow from it: the same in every run.
SECRET_KEY = "of the tests alone"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Each test client loads the middleware, and would look through all static files for what it does not fetch.
WHITENOISE_AUTOREFRESH = True
# Nobody listens on this home's Redis socket: a publish fails at once, and rows stay queued, as in real life
# when the broker is away. Tests that want work done call the tasks, or start a real worker.

# A live server of tests has a thread for each request, and nobody would close its connection.
DATABASES["default"]["CONN_MAX_AGE"] = 0  # noqa: F405

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):  # noqa: F405
    # A file, as in real life: a live server's threads lock each other's tables in a shared memory database.
    DATABASES["default"]["TEST"] = {"NAME": f"{HOME_OF_TESTS}/test.sqlite3"}  # noqa: F405
    # It need not outlive the power: to wait for the disk at each commit takes longer than most commits. Sites
    # of processes of their own (tests.live) wait for it, as in real life.
    _options = DATABASES["default"]["OPTIONS"]  # noqa: F405
    _options["init_command"] = _options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
