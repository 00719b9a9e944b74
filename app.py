"""Till's web application: every HTTP route and every Lambda entry point, registered and nothing else."""

from chalice.app import Chalice

from chalicelib.handlers.buyer import buyer
from chalicelib.handlers.jobs import jobs
from chalicelib.handlers.late_routes import register_late
from chalicelib.observability import set_up_logging

set_up_logging()

app = Chalice(app_name="till", configure_logs=False)
for blueprint in (buyer, jobs):
    app.register_blueprint(blueprint)
register_late(app)
