"""Settings, from the environment. The embedded default needs only EARSHOT_HOME.

Production sets DATABASE_URL, REDIS_URL, SECRET_KEY, ALLOWED_HOSTS and, for S3, MEDIA_S3_BUCKET.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import environ
from celery.schedules import timedelta

from listening.operations import s3
from listening.site import embedded_redis, secret_files, sentry

secret_files.read_into(os.environ)
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
#: Where `manage.py demo` last served this folder, so that other commands print its real address.
ADDRESS_FILE = HOME / "address"
#: Name of the last good backup that was made on this machine.
LAST_BACKUP_FILE = HOME / "last-backup"
_kept = ADDRESS_FILE.read_text().strip() if not env.str("PORT", "") and ADDRESS_FILE.is_file() else ""
_default = _kept or f"http://localhost:{env.int('PORT', default=8000)}"
#: URL of the site for people; links printed by commands start with it.
SITE_URL = env.str("SITE_URL", default=_default).rstrip("/")
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
    "listening.web.middleware.ObservingMiddleware",
    "listening.web.middleware.HeadMiddleware",
    "listening.web.middleware.SecurityHeadersMiddleware",
    "listening.web.middleware.SavingMiddleware",
    "listening.web.middleware.UnitsMiddleware",
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
    "listening.web.middleware.AuditMiddleware",
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
            "builtins": [
                "django.templatetags.i18n",
                "evaluation.templatetags.isolation",
                "evaluation.templatetags.roles",
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{HOME / 'earshot.sqlite3'}")}
if DATABASE_PASSWORD := env.str("DATABASE_PASSWORD", default=""):
    DATABASES["default"]["PASSWORD"] = DATABASE_PASSWORD
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
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "front"

# -- Accounts: who may make one, and how they sign in
#: `closed`, `open`, or the domains whose e-mail addresses may sign up, with commas between them.
SIGNUP = env.str("SIGNUP", default="closed").strip().lower()
#: The mail server. Without one, nothing is sent, and pages say what to do instead.
EMAIL_HOST = env.str("EMAIL_HOST", default="")
EMAIL_PORT = env.int("EMAIL_PORT", default=587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=EMAIL_PORT == 587)
EMAIL_USE_SSL = env.bool("EMAIL_USE_SSL", default=EMAIL_PORT == 465)
EMAIL_TIMEOUT = 20
#: Invitations by e-mail that all researchers together may send within an hour.
INVITATIONS_PER_HOUR = env.int("INVITATIONS_PER_HOUR", default=200)
EMAIL_FROM = env.str("EMAIL_FROM", default="") or f"Earshot <earshot@{urlsplit(SITE_URL).hostname}>"
DEFAULT_FROM_EMAIL = SERVER_EMAIL = EMAIL_FROM
#: A provider of OpenID Connect, by which people may sign in; it describes itself at a well-known address.
OIDC_ISSUER = env.str("OIDC_ISSUER", default="").rstrip("/")
OIDC_CLIENT_ID = env.str("OIDC_CLIENT_ID", default="")
OIDC_CLIENT_SECRET = env.str("OIDC_CLIENT_SECRET", default="")
#: What people call the provider: "Sign in with ...".
OIDC_NAME = env.str("OIDC_NAME", default="") or "OpenID Connect"
#: Whether everybody whom the provider knows gets an account; else as SIGNUP says.
OIDC_SIGNUP = env.bool("OIDC_SIGNUP", default=False)

LANGUAGE_CODE = "en-gb"
#: `listening.study.languages` chooses a listener's language; researchers' pages are in English.
LANGUAGES = [
    ("en-gb", "English"),
    ("de", "German"),
    ("fr", "French"),
    ("ne", "Nepali"),
    ("ja", "Japanese"),
    ("ar", "Arabic"),
]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = "listening.site.formats"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # serves from the source tree: no collectstatic before the first start
MEDIA_ROOT = HOME / "media"
if MEDIA_S3_BUCKET := env.str("MEDIA_S3_BUCKET", default=""):
    _media = s3.media_storage(MEDIA_S3_BUCKET, env.str("MEDIA_S3_ENDPOINT", default=None))
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

# Whether visitors may record their own voice, on the front page and on demo pages that allow it.
OWN_VOICE = env.bool("OWN_VOICE", default=True)
#: Number of reverse proxies that append to X-Forwarded-For; throttling uses the address they add.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1 if HTTPS else 0)

# -- Uploads
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_MB", default=200) * 1_000_000
UPLOAD_MAX_SECONDS = env.float("UPLOAD_MAX_SECONDS", default=600.0)
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
#: A result that a dying child has sent may arrive for so long, seconds; then its row is given back.
CELERY_WORKER_LOST_WAIT = 2.0
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
    "listening.tasks.publish_demo": {"queue": "prompt"},
    "listening.tasks.hear_voice": {"queue": "prompt"},
    "listening.tasks.make_file": {"queue": "prompt"},
    "listening.tasks.remove_voices": {"queue": "prompt"},
    "listening.tasks.remove_made_files": {"queue": "prompt"},
    "listening.tasks.send_mail": {"queue": "prompt"},
    "listening.tasks.notify": {"queue": "prompt"},
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
    "notify": {
        "task": "listening.tasks.notify",
        "schedule": timedelta(minutes=1),
        "options": {"expires": 60},
    },
    "remove voices": {
        "task": "listening.tasks.remove_voices",
        "schedule": timedelta(minutes=5),
        "options": {"expires": 300},
    },
    "remove made files": {
        "task": "listening.tasks.remove_made_files",
        "schedule": timedelta(minutes=30),
        "options": {"expires": 1800},
    },
}

# -- Backups
#: Public keys of age for which `manage.py backup` encrypts.
BACKUP_RECIPIENTS = env.list("BACKUP_RECIPIENTS", default=[])
#: The S3-compatible server of backups.
BACKUP_S3_ENDPOINT = env.str("BACKUP_S3_ENDPOINT", default=None) or env.str("MEDIA_S3_ENDPOINT", default=None)

# -- For whoever watches over the site
#: Where the web processes of this machine keep their counts, a file each; read when prometheus_client is
#: imported. Each machine, or container, needs a folder of its own.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", str(HOME / "metrics"))
#: Who may see /metrics and the details of /readyz: whoever sends this token, and these networks.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
METRICS_NETWORKS = env.list("METRICS_NETWORKS", default=[])
#: /readyz says no if a job has waited for longer, seconds.
READY_QUEUE_SECONDS = env.int("READY_QUEUE_SECONDS", default=600)
#: /readyz says no if less of the disk is free, percent.
READY_DISK_PERCENT = env.float("READY_DISK_PERCENT", default=2.0)

LOG_FORMAT = env.str("LOG_FORMAT", default="text")
if LOG_FORMAT not in ("text", "json"):
    raise environ.ImproperlyConfigured(f"LOG_FORMAT is text or json, not {LOG_FORMAT!r}.")
#: A line for each request but grades.
LOG_REQUESTS = env.bool("LOG_REQUESTS", default=LOG_FORMAT == "json")
#: Celery replaces the handlers of its workers by its own, which write text.
CELERY_WORKER_HIJACK_ROOT_LOGGER = LOG_FORMAT == "text"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"tracing": {"()": "evaluation.tracing.TracingFilter"}},
    "formatters": {
        "text": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"},
        "json": {
            "()": "pythonjsonlogger.json.JsonFormatter",
            "fmt": "{levelname}{name}{message}{request_id}{job}",
            "style": "{",
            "rename_fields": {"levelname": "level", "name": "logger", "request_id": "request"},
            "timestamp": "time",
        },
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["tracing"]}
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
if SENTRY_DSN := env.str("SENTRY_DSN", default=""):
    sentry.start(SENTRY_DSN, SITE_URL)
