"""Puts the admin site of Hub in the place of the stock one. Named in INSTALLED_APPS."""

from django.contrib.admin.apps import AdminConfig


class HubAdminConfig(AdminConfig):
    default_site = "hub.admin.HubAdminSite"
