"""CKAN as a projection of the lab: what everyone is granted becomes datasets there, and nothing else is touched.

    listing.py    what of the lab is told
    facts.py      a dataset → what ckanext-dcat reads, as extras or as the fields of a schema; pure
    resources.py  its tables → the resources of a CKAN dataset; pure
    package.py    all of it → what CKAN should hold; pure
    merge.py      one thing as it should be and as CKAN holds it → the call that makes the one the other; pure
    plan.py       all those calls, in their order; pure
    datastore.py  small tables → CKAN's DataStore
    remote.py     the only file that talks to CKAN
    pool.py       several calls at a time, and what CKAN holds
    apply.py      a plan, carried out
    publish.py    read, plan, show, apply.  READ THIS FIRST
    watch.py      publish after each ingest

Ours is what has an id that we derived (`names.stable_id`) and the extra `datalab`, which names the organisation. Of a
dataset of ours, we own the fields that `package_dict` writes, the extras it can write (`OWNED_EXTRAS`), the resources
whose id we derived, and those tags and groups that the extra `datalab_owns` says we have put there. All else (a
curator's own extras, tags, groups, resources, members, further fields of a resource) stays as it is.
"""
