"""An app of somebody's with two of ours in it, as several processes serve it."""

from starlette.applications import Starlette
from starlette.routing import Mount

from openenv_lite import HTTPEnvServer, create_app
from tests.cli.counting import Counting

__all__ = ["app"]

app = Starlette(routes=[Mount("/inner", app=create_app(Counting, mode="production"))])
HTTPEnvServer(Counting).register_routes(app, mode="production")
