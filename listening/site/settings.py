"""Settings, from the environment. The embedded default needs only EARSHOT_HOME.

Production sets DATABASE_URL, REDIS_URL, SECRET_KEY, ALLOWED_HOSTS and, for S3, MEDIA_S3_BUCKET.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import environ
from celery.schedules import timedelta

from listening.site import embedded_redis

env = environ.Env()
BASE_DIR = Path(__file__).resolve().parents[2]

#: Database, media, Redis data and the secret key of the embedded default.
HOME = Path(env.str("EARSHOT_HOME", default="") or BASE_DIR / "var").expanduser().resolve()


def _local_secret() -> str:
    """Read or make the secret key in EARSHOT_HOME, a file that only its owner can read."""
    path = HOME / "secret-key"
    if not path.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text().strip()


SECRET_KEY = env.str("SECRET_KEY", default="") or _local_secret()
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
#: URL of the site for people; links printed by commands start with it.
SITE_URL = env.str("SITE_URL", default=f"http://localhost:{env.int('PORT', default=8000)}").rstrip("/")
HTTPS = SITE_URL.startswith("https://")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "ninja",  # serves the API's documentation page from here instead of a CDN
    "evaluation",
    "listening",
]

MIDDLEWARE = [
    "listening.web.middleware.SecurityHeadersMiddleware",
    "listening.web.middleware.StudyLanguageMiddleware",
    "listening.web.middleware.RefusalMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "listening.web.middleware.BearerTokenMiddleware",
    "listening.web.middleware.FragmentSignInMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "listening.web.urls"
WSGI_APPLICATION = "listening.site.wsgi.application"
ASGI_APPLICATION = "listening.site.asgi.application"

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,  # the pages of the API description come with ninja
        "OPTIONS": {
            # Every page that a listener sees is translated; text that people wrote has its own direction.
            "builtins": ["django.templatetags.i18n", "evaluation.templatetags.isolation"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{HOME / 'earshot.sqlite3'}")}
# Threads of the web server keep their connections, so that a grade does not wait for a new one.
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=600)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        # Take the write lock at BEGIN: otherwise a read that becomes a write cannot wait for it.
        "transaction_mode": "IMMEDIATE",
        # FULL: an acknowledged grade is on disk, even after a power failure.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "signin"
LOGIN_REDIRECT_URL = "clips"
LOGOUT_REDIRECT_URL = "front"

LANGUAGE_CODE = "en-gb"
#: `listening.study.languages` chooses a listener's language; researchers' pages are in English.
LANGUAGES = [
    ("en-gb", "British English"),
    ("de", "German"),
    ("fr", "French"),
    ("ne", "Nepali"),
    ("ja", "Japanese"),
    ("ar", "Arabic"),
]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # serves from the source tree: no collectstatic before the first start
MEDIA_ROOT = HOME / "media"
if MEDIA_S3_BUCKET := env.str("MEDIA_S3_BUCKET", default=""):
    _media = {
        "BACKEND": "storages.backends.s3.S3Storage",
        "OPTIONS": {
            "bucket_name": MEDIA_S3_BUCKET,
            "endpoint_url": env.str("MEDIA_S3_ENDPOINT", default=None),
        },
    }
else:
    _media = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
STORAGES = {
    "default": _media,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = False  # the proxy's job
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
#: Seconds for which browsers must use TLS after a visit by TLS (HSTS).
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=30 * 86400) if HTTPS else 0
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "listening.web.views.errors.csrf_failure"
#: Off only for load tests: they sign in and join from one address.
THROTTLING = env.bool("THROTTLING", default=True)
#: Number of reverse proxies that append to X-Forwarded-For; throttling uses the address they add.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1 if HTTPS else 0)

# -- Uploads
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_MB", default=50) * 1_000_000
UPLOAD_MAX_SECONDS = env.float("UPLOAD_MAX_SECONDS", default=60.0)
#: Largest unpacked size of a study's archive, bytes.
ARCHIVE_MAX_BYTES = env.int("ARCHIVE_MAX_MB", default=2000) * 1_000_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_HANDLERS = [
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "evaluation.clips.uploads.LimitedUploadHandler",
]

# -- Work in the background (the database holds the state, Redis only carries messages)
REDIS_URL = env.str("REDIS_URL", default="") or embedded_redis.broker_url(HOME)
#: Whether this home uses its own Redis server (`listening.site.embedded_redis`).
EMBEDDED_REDIS = embedded_redis.broker_url(HOME) == REDIS_URL
#: A worker that has not renewed its lease for this long is taken to be dead, seconds.
JOB_LEASE_SECONDS = env.int("JOB_LEASE_SECONDS", default=60)
JOB_MAX_ATTEMPTS = 3
#: Work that takes longer is taken to hang, seconds. Stay below the broker's visibility_timeout.
JOB_MAX_SECONDS = env.int("JOB_MAX_SECONDS", default=3000)
#: The message of a queued row may be lost if it is older than this, seconds.
JOB_REDISPATCH_SECONDS = env.int("JOB_REDISPATCH_SECONDS", default=120)
#: Most messages that one sweep sends per kind of work.
JOB_SWEEP_BATCH = 200
CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = JOB_MAX_SECONDS
CELERY_TASK_TIME_LIMIT = JOB_MAX_SECONDS + 60  # for native code that never returns to Python
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    # Longer than any task. The two restore settings redeliver a killed worker's messages in seconds.
    "visibility_timeout": 3600,
    "unacked_restore_interval": 2,
    "unacked_restore_throttle": 1,
    # Publishing without a broker fails fast: the row stays queued and the sweeper sends it later.
    "socket_connect_timeout": 2,
    "max_retries": 1,
    "interval_start": 0.1,
}
#: Queues of long tasks, and of tasks that someone waits for: the children of the latter are free when
#: all other children are busy with codecs. One worker may serve all queues, too.
SLOW_QUEUES = ("codec", "metrics")
QUICK_QUEUES = ("prepare", "prompt")
WORKER_QUEUES = (*SLOW_QUEUES, *QUICK_QUEUES)
CELERY_TASK_DEFAULT_QUEUE = "codec"
CELERY_TASK_ROUTES = {
    "evaluation.tasks.make_rendition": {"queue": "codec"},
    "evaluation.tasks.make_score": {"queue": "metrics"},
    "listening.tasks.make_analysis": {"queue": "metrics"},
    # A researcher watches its progress.
    "evaluation.tasks.handle_outputs": {"queue": "prompt"},
    "listening.tasks.import_configuration": {"queue": "prompt"},
    "listening.tasks.simulate": {"queue": "prompt"},
    "evaluation.tasks.sweep": {"queue": "prompt"},
    "listening.tasks.prepare_study": {"queue": "prepare"},
}
# Unprocessed sweeps are redundant, and beat may run for days without workers.
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "evaluation.tasks.sweep",
        "schedule": timedelta(seconds=min(10.0, JOB_LEASE_SECONDS / 2)),
        "options": {"expires": 30},
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
