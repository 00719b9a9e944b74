"""Till's web application: every HTTP route and every Lambda entry point, registered and nothing else."""

from chalice.app import Chalice

from chalicelib.handlers.api import api
from chalicelib.handlers.buyer import buyer
from chalicelib.handlers.jobs import jobs
from chalicelib.handlers.webhooks import webhooks
from chalicelib.observability import set_up_logging

set_up_logging()

app = Chalice(app_name="till", configure_logs=False)
for blueprint in (buyer, api, webhooks, jobs):
    app.register_blueprint(blueprint)
