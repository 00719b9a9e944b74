"""The blueprint of the API: every module of routes adds to this one."""

from typing import Final

from chalice.app import Blueprint

api: Final = Blueprint(__name__)
