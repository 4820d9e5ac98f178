"""The lab's administrator, as Keystone is asked for a token."""

LOGIN = {"auth": {
    "identity": {"methods": ["password"], "password": {
        "user": {"name": "admin", "password": "lab", "domain": {"name": "Default"}}}},
    "scope": {"project": {"name": "admin", "domain": {"name": "Default"}}}}}
