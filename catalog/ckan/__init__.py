"""CKAN as a projection of the lab: what everyone is granted becomes datasets there, and nothing else is touched.

    package.py   the lab's entries → what CKAN should hold; pure
    plan.py      what CKAN should hold, what it holds → the calls that make the one the other; pure
    remote.py    the only file that talks to CKAN
    publish.py   read, plan, show, apply.  READ THIS FIRST

Ours is what has an id that we derived (`package.stable_id`) and the extra `datalab`, which names the organisation. Of a
dataset of ours, we own the fields that `package_dict` writes, the extras it can write (`OWNED_EXTRAS`), the resources
whose id we derived, and those tags and groups that the extra `datalab_owns` says we have put there. All else (a
curator's own extras, tags, groups, resources, members, further fields of a resource) stays as it is.
"""
