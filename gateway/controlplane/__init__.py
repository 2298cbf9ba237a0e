"""Who may call, and which versions serve: stored in SQL, followed in memory, asked by every request.

::

    keys       keys, store, principals → authenticator, authorization
    versions   manifest (files on disk), version_sets (what Triton holds), trial (the steps of a deployment)
    aliases    routing_store, rollout_store → routing (the view in memory)
    changes    deployer, rollouts; reconciler (restores what is named, unloads what is not)
    shared     database, tables, migrations, journal (revision and history), leases, following, backoff
"""
