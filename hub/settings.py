"""All settings of the deployer, read from the environment or ``.env`` and nowhere else.

A choice that staff make is a row, never a setting. A wrong value stops the start with a message that names
the variable.
"""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub.env import Env, WrongSetting
from hub.secrets import Secrets

BASE_DIR = Path(__file__).resolve().parent.parent
env = Env(BASE_DIR / ".env")

DATA_DIR = env.path("DATA_DIR", BASE_DIR / "var")
_secrets = Secrets(DATA_DIR / "secrets")

SECRET_KEY = env.text("SECRET_KEY", "") or _secrets.one("SECRET_KEY")
TOKEN_KEYS = env.words("TOKEN_KEYS", []) or _secrets.many("TOKEN_KEYS")
FIELD_ENCRYPTION_KEYS = env.fernet_keys("FIELD_ENCRYPTION_KEYS") or _secrets.fernet("FIELD_ENCRYPTION_KEYS")

DEBUG = env.flag("DEBUG", False)
SITE_URL = env.url("SITE_URL", "http://localhost:8001")
ALLOWED_HOSTS = env.words("ALLOWED_HOSTS", [urlsplit(SITE_URL).hostname or "", "localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", [SITE_URL])
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")

INSTALLED_APPS = [
    "hub.adminconfig.HubAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_q",
    "django_filters",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "tickets",
    "emailflow",
    "hub",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "hub.urls"
WSGI_APPLICATION = "hub.wsgi.application"
AUTH_USER_MODEL = "tickets.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# SQLite: a source hears "done" after the commit, so a commit must survive a power cut (synchronous=FULL);
# IMMEDIATE because a transaction that upgrades from read to write cannot wait for the lock.
SQLITE_OPTIONS: dict[str, Any] = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=20000; PRAGMA foreign_keys=ON;"
    ),
}
DATABASES: dict[str, dict[str, Any]] = {"default": env.database("DATABASE_URL", DATA_DIR / "hub.sqlite3")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = SQLITE_OPTIONS
else:
    DATABASES["default"].setdefault("CONN_MAX_AGE", 60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
LOGIN_URL = "admin:login"

LANGUAGE_CODE = env.choice("LANGUAGE_CODE", "en", ["en", "da"])
LANGUAGES = [("en", "English"), ("da", "Dansk")]
TIME_ZONE = env.time_zone("TIME_ZONE", "Europe/Copenhagen")
USE_I18N = True
USE_TZ = True
FORMAT_MODULE_PATH = ["hub.formats"]

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
BLOB_DIR = DATA_DIR / "blobs"
# None: the files are in BLOB_DIR.
BLOB_STORAGE = env.bucket("BLOB_STORAGE_URL")
SPOOL_DIR = DATA_DIR / "spool"
DROP_DIR = DATA_DIR / "drop"
# Below these, and nowhere else, staff may name a Maildir.
MAILDIR_ROOTS = [DATA_DIR, *env.paths("MAILDIR_ROOTS")]
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024

# Security. The cookies are marked secure when the site is served over https.
_HTTPS = SITE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = _HTTPS
SECURE_SSL_REDIRECT = _HTTPS
# Monitoring asks the web process itself, behind the proxy that speaks https.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
SECURE_HSTS_SECONDS = 31536000 if _HTTPS else 0
# Whether every other host below this domain speaks https is not for Hub to promise.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
# Only the page of one HTML mail stands in a frame; it says so itself.
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "font-src": ["'self'"],
        "connect-src": ["'self'"],
        "frame-src": ["'self'"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
    }
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tickets.api.authentication.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tickets.api.permissions.ModelRights"],
    "DEFAULT_PAGINATION_CLASS": "tickets.api.pagination.KeysetPagination",
    "DEFAULT_FILTER_BACKENDS": ["tickets.api.filters.StrictFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tickets.api.parsers.StrictJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": f"{env.integer('API_RATE', 1200, minimum=1)}/min"},
    # Who is not logged in is counted by the address of the connection: anybody can write X-Forwarded-For.
    "NUM_PROXIES": 0,
    "EXCEPTION_HANDLER": "tickets.api.errors.exception_handler",
    "PAGE_SIZE": 50,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
KNOX_TOKEN_MODEL = "tickets.ApiToken"  # noqa: S105
# Its migrations would make a table for its own token model too, although ours replaces it.
MIGRATION_MODULES = {"knox": None}
REST_KNOX = {"TOKEN_TTL": None, "AUTO_REFRESH": False, "TOKEN_MODEL": "tickets.ApiToken"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Hub API",
    "DESCRIPTION": (
        "Tickets, conversations, customers and the mail ledger of Hub.\n\n"
        "Log in with `Authorization: Token <token>`. A slash at the end of an address is optional. A list is "
        "`{next, results}`: follow `next` until it is null. Every error is `{detail, errors}`, and `errors` names "
        "the fields. An unknown parameter or field is an error."
    ),
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "PREPROCESSING_HOOKS": ["tickets.api.schema.without_last_slash"],
    "GET_LIB_DOC_EXCLUDES": "tickets.api.schema.without_descriptions",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "TicketStatus": "tickets.models.Status",
        "TicketPriority": "tickets.models.Priority",
        "TicketSource": "tickets.models.Source",
        "CommentState": "tickets.models.CommentState",
        "MessageState": "emailflow.models.State",
        "OutboxState": "emailflow.models.OutboxState",
        "OutboxKind": "emailflow.models.OutboxKind",
        "ExecutionStatus": "emailflow.models.ExecutionStatus",
    },
}

# The retry clock of django-q2 starts when a task enters the in-memory queue: one task at a time, and a
# retry far above the time a task may take, or tasks run twice.
Q_CLUSTER = {
    "name": "hub",
    "orm": "default",
    "workers": 2,
    "recycle": 500,
    "timeout": 600,
    "retry": 3600,
    "queue_limit": 1,
    "bulk": 1,
    "poll": 0.5,
    "max_attempts": 3,
    "save_limit": 100,
    "catch_up": False,
    "label": "Background tasks",
}

EMAIL_CONFIG = env.email("EMAIL_URL", "consolemail://")
EMAIL_BACKEND = EMAIL_CONFIG["EMAIL_BACKEND"]
EMAIL_HOST = EMAIL_CONFIG["EMAIL_HOST"]
EMAIL_PORT = EMAIL_CONFIG["EMAIL_PORT"] or 25
EMAIL_HOST_USER = EMAIL_CONFIG["EMAIL_HOST_USER"] or ""
EMAIL_HOST_PASSWORD = EMAIL_CONFIG["EMAIL_HOST_PASSWORD"] or ""
EMAIL_FILE_PATH = EMAIL_CONFIG["EMAIL_FILE_PATH"] or None
EMAIL_USE_TLS = EMAIL_CONFIG.get("EMAIL_USE_TLS", False)
EMAIL_USE_SSL = EMAIL_CONFIG.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 30
DEFAULT_FROM_EMAIL = env.address("DEFAULT_FROM_EMAIL", "support@localhost")

TICKET_ENABLED = env.flag("TICKET_ENABLED", True)
TICKET_EMAIL_INTEGRATION = env.flag("TICKET_EMAIL_INTEGRATION", True)
EMAIL_WORKFLOWS_ENABLED = env.flag("EMAIL_WORKFLOWS_ENABLED", True)
TICKET_AUTO_ASSIGN = env.flag("TICKET_AUTO_ASSIGN", False)
TICKET_DEFAULT_ASSIGNEE_ID = env.integer("TICKET_DEFAULT_ASSIGNEE_ID", None, minimum=1)
if TICKET_AUTO_ASSIGN and TICKET_DEFAULT_ASSIGNEE_ID is None:
    raise WrongSetting("TICKET_DEFAULT_ASSIGNEE_ID: TICKET_AUTO_ASSIGN is true; use the number of the user who gets it")
TICKET_DEFAULT_PRIORITY = env.choice("TICKET_DEFAULT_PRIORITY", "normal", ["low", "normal", "high", "critical"])
TICKET_STRANGER_POLICY = env.choice("TICKET_STRANGER_POLICY", "unverified", ["unverified", "new_ticket", "hold"])
TICKET_TEST_API = env.flag("TICKET_TEST_API", False)
OUTGOING_MAIL = env.choice("OUTGOING_MAIL", "send", ["send", "hold"])
REPLY_UNDO_SECONDS = env.integer("REPLY_UNDO_SECONDS", 10, minimum=0)
MAIL_MAX_BYTES = env.integer("MAIL_MAX_BYTES", 50 * 1024 * 1024, minimum=1024)
MAIL_RAW_RETENTION_DAYS = env.integer("MAIL_RAW_RETENTION_DAYS", 90, minimum=0)

METRICS_TOKEN = env.token("METRICS_TOKEN")

LOG_LEVEL = env.choice("LOG_LEVEL", "INFO", ["DEBUG", "INFO", "WARNING", "ERROR"])
LOG_FORMAT = env.choice("LOG_FORMAT", "line", ["line", "json"])
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "hub.logs.LineFormatter"}, "json": {"()": "hub.logs.JsonFormatter"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # At INFO it tells of every schedule and task: ten lines a minute in which nothing happens.
    "loggers": {"django-q": {"level": "WARNING" if LOG_LEVEL == "INFO" else LOG_LEVEL}},
}
