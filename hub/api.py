"""The REST API under ``/api/v1/``: the routes of both apps, the OpenAPI schema and its pages."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
