"""Django's settings, read from the environment or a `.env` file; `.env.example` lists all of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import environ

from streams import conf, logs
from streams.broker import clients, redis_url
from streams.conf.django_settings import read_django_settings
from streams.conf.env_file import load_env_file
from streams.errors import ConfigurationError

BASE_DIR = Path(__file__).resolve().parent.parent

# One line, not a traceback, is what helps the person who set the variable.
try:
    load_env_file(BASE_DIR / ".env", os.environ)
    STREAMS = conf.read_settings(os.environ)
    redis_url.supported_url(STREAMS.redis_url)
    django = read_django_settings(os.environ, production=STREAMS.production)
except ConfigurationError as error:
    sys.exit(str(error))

DEBUG = django.debug
# In production it was refused above to have none.
SECRET_KEY = django.secret_key or "development-only"
# Devices reach a pod by any name that the network gives it, so any is the default.
# Looked at in sseproject.asgi, before streams and pages alike.
ALLOWED_HOSTS = list(django.allowed_hosts)
CSRF_TRUSTED_ORIGINS = sorted(django.csrf_trusted_origins)
DATABASES = {"default": django.database or environ.Env.db_url_config(f"sqlite:///{BASE_DIR / 'db.sqlite3'}")}

INSTALLED_APPS = [
    "dashboard.apps.DashboardConfig",
    "loadtest",
    "streams",
    "dashboard.apps.OperatorAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

# Every one of these runs on the event loop: one that could not would cost each
# request a thread.
MIDDLEWARE = [
    "sseproject.middleware.Security",
    "servestatic.middleware.ServeStaticMiddleware",
    "streams.http.cors.CorsMiddleware",
    "dashboard.csp.ContentSecurityPolicyMiddleware",
    "sseproject.middleware.Session",
    "sseproject.middleware.Csrf",
    "sseproject.middleware.Authentication",
    "sseproject.middleware.Message",
    "sseproject.middleware.XFrameOptions",
]

ROOT_URLCONF = "sseproject.urls"
ASGI_APPLICATION = "sseproject.asgi.application"

# Between pods; streams have no part in it. Pods on another REDIS_CHANNEL are another cluster.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [clients.pool_options(STREAMS.redis_url)], "prefix": f"{STREAMS.redis_channel}:pods:"},
    }
}
APPEND_SLASH = False

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

# Any pod serves any request: a session is in its signed cookie, not in a database.
SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
SESSION_COOKIE_HTTPONLY = True
# A night shift; nobody is signed in for longer than that without a password.
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = django.secure_cookies
# Said only to those who come over TLS; this long, a mistake can be taken back.
SECURE_HSTS_SECONDS = 30 * 24 * 60 * 60 if django.secure_cookies else 0
PASSWORD_HASHERS = ["dashboard.login.passwords.SharedSaltHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": conf.secrets.LEAST_PASSWORD_LENGTH},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
SILENCED_SYSTEM_CHECKS = [
    # The middlewares that these know by name are here as children of their own: sseproject.middleware.
    *("security.W001", "security.W002", "security.W003"),
    # The front door ends TLS, so the redirect to it and the fate of subdomains are its own to decide.
    *("security.W005", "security.W008", "security.W021"),
]
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"
CSRF_FAILURE_VIEW = "dashboard.actions.csrf_failure"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STORAGES = {"staticfiles": {"BACKEND": "sseproject.storage.BelowRootPath"}}
STATIC_ROOT = BASE_DIR / "staticfiles"
# Files come straight from the packages, so that no collectstatic stands between a clone and a page.
SERVESTATIC_USE_FINDERS = True

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

LOGGING = logs.configuration(STREAMS.log_level, STREAMS.log_format, STREAMS.pod_name)
