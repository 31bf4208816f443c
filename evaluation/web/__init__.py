"""What people and programs meet: pages, the API, downloads."""
