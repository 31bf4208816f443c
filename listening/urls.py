"""Every address of the site. Each app lists its own pages; the API mounts both."""

from __future__ import annotations

from django.urls import include, path

from listening import views
from listening.api import api

urlpatterns = [
    path("", views.accounts.front, name="front"),
    path("signin/", views.accounts.signin, name="signin"),
    path("signin/<str:token>/", views.accounts.signin_link, name="signin_link"),
    path("signout/", views.accounts.signout, name="signout"),
    path("", include("evaluation.urls")),  # /clips/..., /renditions/...
    path("", include("listening.study_urls")),  # /studies/..., /t/<study token>/, /s/<session token>/...
    path("api/", api.urls),
]
