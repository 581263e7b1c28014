"""Run by alembic: migrates the connection that `open_database` hands over, inside its transaction."""

from alembic import context

from trialsight_serving.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
