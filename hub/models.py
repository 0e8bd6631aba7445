"""Tables of the installation itself; what is about tickets or mail belongs to the other apps."""

from django.db import models


class Heartbeat(models.Model):
    """When a background process last proved that it works. One row a name, written by ``hub.heartbeat``."""

    name = models.TextField()
    beat_at = models.DateTimeField()

    class Meta:
        db_table = "hub_heartbeat"
        constraints = [models.UniqueConstraint(fields=["name"], name="hub_heartbeat_name_once")]

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%Y-%m-%d %H:%M:%S}"
