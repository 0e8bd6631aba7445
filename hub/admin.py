"""The name of the site in its admin. Its pages belong to the apps."""

from django.contrib import admin

admin.site.site_header = "Hub"
admin.site.site_title = "Hub"
admin.site.index_title = "Overview"
# "View site" would lead back to this very page.
admin.site.site_url = None
