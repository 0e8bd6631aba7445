"""Pages of this app outside the admin and the API: files, and HTML mail in its frame."""

from django.urls import path

from tickets.views import files, frames

urlpatterns = [
    path("attachments/<int:attachment_id>", files.download, name="attachment"),
    path("frames/comments/<int:comment_id>", frames.comment_frame, name="comment-frame"),
    path("frames/images/<str:token>", frames.frame_image, name="frame-image"),
]
