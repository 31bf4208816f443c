"""The downloads and the clips' part of the API alone, so that these tests need no other page."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path
from ninja import NinjaAPI
from ninja.security import HttpBearer

from evaluation.api import router
from evaluation.views import downloads


class NameIsToken(HttpBearer):
    """Authentication is `listening`'s subject; here a user's name is the token."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        return User.objects.filter(username=token).first()


api = NinjaAPI(auth=NameIsToken(), urls_namespace="clips-api")
api.add_router("", router)


def page(request: HttpRequest, pk: str) -> HttpResponse:
    return HttpResponse(pk)


urlpatterns = [
    path("clips/<uuid:pk>/", page, name="clip"),
    path("clips/<uuid:pk>/audio.wav", downloads.clip_audio, name="clip_audio"),
    path("clips/<uuid:pk>/everything.zip", downloads.clip_zip, name="clip_zip"),
    path("renditions/<uuid:pk>/audio.wav", downloads.rendition_audio, name="rendition_audio"),
    path("renditions/<uuid:pk>/bitstream.ear", downloads.rendition_bitstream, name="rendition_bitstream"),
    path("renditions/<uuid:pk>/retry/", downloads.rendition_retry, name="rendition_retry"),
    path("api/", api.urls),
]
